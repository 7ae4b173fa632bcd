"""Augmentations that draw their parameters at random, for each sample separately, for a whole batch at once."""

import copy
import math

import torch
from torch import Tensor

from sslcourse.augment import functional


class Augmentation:
    """Draws parameters for each sample and applies them; each sample is changed with probability p.

    strength in [0,1]: 0 is the identity, exactly. Raises ValueError for a strength or p outside [0,1], and for
    anything but images.
    """

    def __init__(self, strength: float = 1.0, p: float = 1.0):
        self.strength, self.p = self.share("strength", strength), self.share("p", p)

    def share(self, name: str, value: float) -> float:
        """The value; ValueError where it does not lie between 0 and 1."""
        if not 0 <= value <= 1:
            raise ValueError(f"{type(self).__name__}: {name} is {value}; it must lie between 0 and 1.")
        return value

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        check_images(x)
        if self.strength == 0 or self.p == 0:
            return x
        on = uniform(x, generator) < self.p if self.p < 1 else torch.ones(len(x), dtype=torch.bool, device=x.device)
        return self.apply(x, on, generator)

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        """Change the samples where on (B,) is set."""
        raise NotImplementedError

    def at(self, strength: float) -> "Augmentation":
        """The same augmentation at another strength."""
        augmentation = copy.copy(self)
        augmentation.strength = self.share("strength", strength)
        return augmentation

    def __repr__(self) -> str:
        return f"{type(self).__name__}(strength={self.strength}, p={self.p})"


def check_images(x: Tensor) -> None:
    """Refuse what is not a batch of float32 images with one or three channels."""
    if x.ndim != 4 or x.shape[1] not in (1, 3) or x.dtype != torch.float32:
        raise ValueError(
            f"Augmentations take float32 images (B,C,H,W) with C = 1 or 3 in [0,1]; got {tuple(x.shape)} of {x.dtype}."
        )


def uniform(x: Tensor, generator: torch.Generator | None, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One uniform number for each sample of x (B,), drawn where the generator lives, on x's device."""
    device = generator.device if generator is not None else x.device
    return moved(torch.rand(len(x), generator=generator, device=device), x.device) * (high - low) + low


def moved(drawn: Tensor, device: torch.device) -> Tensor:
    """What was drawn, on the device that needs it.

    A GPU gets it from pinned memory: a copy from any other waits until the GPU has done all it was given before.
    """
    if drawn.device.type == "cpu" and device.type == "cuda":
        return drawn.pin_memory().to(device, non_blocking=True)
    return drawn.to(device)


def random_factor(x: Tensor, generator: torch.Generator | None, on: Tensor, reach: float) -> Tensor:
    """One factor for each sample (B,), uniform in 1 - reach to 1 + reach; 1 where on is not set."""
    return torch.where(on, uniform(x, generator, 1 - reach, 1 + reach), 1)


class Crop(Augmentation):
    """Crop and resize: a box of min_area to all of the picture's area and of aspect 3/4 to 4/3.

    The crop is mirrored with probability `flip`. Source: Chen et al., 2020, appendix A. As torchvision's
    RandomResizedCrop, except that boxes that stick out are made to fit.
    """

    def __init__(self, strength: float = 1.0, p: float = 1.0, min_area: float = 0.08, flip: float = 0.0):
        super().__init__(strength, p)
        self.min_area, self.flip = min_area, flip

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        size = x.shape[2:]
        area = uniform(x, generator, 1 - self.strength * (1 - self.min_area), 1)
        reach = self.strength * math.log(4 / 3)
        aspect = uniform(x, generator, -reach, reach).exp()
        sides = [(area / aspect).sqrt(), (area * aspect).sqrt()]
        sides = [torch.where(on, side.clamp(max=1), 1) * n for side, n in zip(sides, size, strict=True)]
        corners = [uniform(x, generator) * (n - side) for side, n in zip(sides, size, strict=True)]
        mirror = on & (uniform(x, generator) < self.flip) if self.flip else None
        return self.cut(x, torch.stack([*corners, *sides], dim=1), mirror)

    def cut(self, x: Tensor, boxes: Tensor, mirror: Tensor | None) -> Tensor:
        """Enlarge the boxes (B,4) to the picture's size; mirror those where mirror (B,) is set."""
        return functional.crop_resize(x, boxes, mirror)


class Flip(Augmentation):
    """The mirror image, left to right; all strengths above 0 do the same."""

    def __init__(self, strength: float = 1.0, p: float = 0.5):
        super().__init__(strength, p)

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        return functional.flip(x, on)


class ColorDrop(Augmentation):
    """Colour drop: a blend towards grey."""

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        return functional.color_drop(x, self.strength * on.to(x.dtype))


class Jitter(Augmentation):
    """Colour distortion by jitter: brightness, contrast and saturation by up to 80 %, hue by up to a fifth of a turn.

    Source: Chen et al., 2020, appendix A; strength is their s.
    """

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        factors = [random_factor(x, generator, on, 0.8 * self.strength) for _ in range(3)]
        turns = random_factor(x, generator, on, 0.2 * self.strength) - 1
        return self.distort(x, *factors, turns)

    def distort(self, x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
        """Change the colours by these factors and turns, each (B,)."""
        return functional.color_jitter(x, brightness, contrast, saturation, hue)


class Rotate(Augmentation):
    """Rotation by 90, 180 or 270 degrees; a strength below 1 scales the angle."""

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        quarters = uniform(x, generator, 1, 4).floor()
        return functional.rotate(x, 90 * self.strength * quarters * on)


class Cutout(Augmentation):
    """A black square of half the picture's side, wholly inside it (DeVries and Taylor, 2017)."""

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        sides = [0.5 * self.strength * size * on for size in x.shape[2:]]
        corners = [uniform(x, generator) * (n - side) for side, n in zip(sides, x.shape[2:], strict=True)]
        return functional.cutout(x, torch.stack([*corners, *sides], dim=1))


class Noise(Augmentation):
    """Gaussian noise with a standard deviation of up to 0.2."""

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        device = generator.device if generator is not None else x.device
        noise = moved(torch.randn(x.shape, generator=generator, device=device), x.device)
        return functional.gaussian_noise(x, uniform(x, generator, 0, 0.2 * self.strength) * on, noise)


class Blur(Augmentation):
    """Gaussian blur with a sigma of 0.1 to 2 pixels and a kernel that reaches a tenth of the picture each way.

    Source: Chen et al., 2020, appendix A, where the kernel is a tenth of the picture across.
    """

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        sigma = uniform(x, generator, 0.1, 2) * self.strength * on
        return functional.gaussian_blur(x, sigma, 2 * (x.shape[3] // 10) + 1)


class Sobel(Augmentation):
    """Edges: the magnitude of the gradient of brightness."""

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        return functional.sobel(x, self.strength * on.to(x.dtype))


class Compose:
    """Augmentations one after another."""

    def __init__(self, *steps: Augmentation):
        self.steps = steps

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        for augmentation in self.steps:
            x = augmentation(x, generator)
        return x

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.steps))})"


def simclr(color: float = 0.5, flip: bool = True, min_area: float = 0.2) -> Compose:
    """SimCLR's views for small pictures: crop, resize and flip, then jitter, then sometimes grey; no blur.

    color: strength of the colour distortion; 0 leaves jitter and grey out. Source: Chen et al., 2020, appendix B.9.
    """
    crop = Crop(min_area=min_area, flip=0.5 if flip else 0.0)
    return Compose(crop, Jitter(color, p=0.8), ColorDrop(p=0.2)) if color else Compose(crop)


# The augmentations of SimCLR's figure 4, with the mirror image also by itself: ten in all.
FIGURE_4 = {
    "crop and resize": Crop(),
    "crop, resize, flip": Crop(flip=1.0),
    "flip": Flip(p=1.0),
    "colour drop": ColorDrop(),
    "colour jitter": Jitter(),
    "rotate": Rotate(),
    "cutout": Cutout(),
    "Gaussian noise": Noise(),
    "Gaussian blur": Blur(),
    "Sobel filter": Sobel(),
}


def figure_4(x: Tensor, strengths: dict[str, float], seed: int = 0) -> Tensor:
    """The augmentations of FIGURE_4 at these strengths, one after another, each with a generator of its own.

    So changing the strength of one leaves the random draws of the others as they are.
    """
    for index, name in enumerate(FIGURE_4):
        generator = torch.Generator().manual_seed(len(FIGURE_4) * seed + index)
        x = FIGURE_4[name].at(strengths.get(name, 0))(x, generator)
    return x
