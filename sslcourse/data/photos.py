"""Patches of real photographs: which photograph is this patch from?"""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.data import Data, Split

NAMES = (
    "astronaut", "cat", "coffee", "rocket", "retina", "galaxies", "tissue", "motorcycle", "brick", "grass", "gravel",
    "temple", "flower",
)  # fmt: skip
SIZE = 32  # pixels on a patch's side
SCALES = (40, 80)  # pixels of the photograph that a patch covers, before it is made SIZE
# Where a split's patches lie, as fractions of the photograph's width. They share no pixel.
STRIPS = {"train": (0.0, 0.52), "val": (0.53, 0.71), "test": (0.72, 1.0)}
PATCHES = {"train": 400, "val": 100, "test": 100}  # a photograph


def load() -> Data:
    """Patches (3,32,32) of 13 photographs; the class is the photograph. Train left, validate between, test right.

    Sources: scikit-image's images (astronaut, chelsea, coffee, rocket, retina, hubble_deep_field,
    immunohistochemistry, stereo_motorcycle, brick, grass, gravel) and scikit-learn's (china, flower).
    Licences: public domain, CC0 or CC BY, each named in those packages' README files.
    """
    images = photographs()
    splits = {}
    for number, (name, strip) in enumerate(STRIPS.items()):
        generator = torch.Generator().manual_seed(number)
        patches = torch.cat([cut(image, strip, PATCHES[name], generator) for image in images])
        labels = torch.arange(len(images)).repeat_interleave(PATCHES[name])
        splits[name] = Split(patches, labels)
    return Data(
        name="photos",
        what="32x32 patches of 13 photographs, colour",
        classes=NAMES,
        **splits,
        source="scikit-image (11 photographs) and scikit-learn (2)",
        licence="public domain, CC0 or CC BY, by image",
    )


def photographs() -> list[Tensor]:
    """The photographs as (3,H,W) uint8, in the order of NAMES; from files that the two packages bring along."""
    from skimage import data as skimage_data
    from sklearn.datasets import load_sample_images

    images = [getattr(skimage_data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket", "retina")]
    images += [skimage_data.hubble_deep_field(), skimage_data.immunohistochemistry()]
    images += [skimage_data.stereo_motorcycle()[0]]
    images += [getattr(skimage_data, name)() for name in ("brick", "grass", "gravel")]
    images += load_sample_images().images
    tensors = [torch.tensor(image) for image in images]
    return [(image.expand(3, -1, -1) if image.ndim == 2 else image[..., :3].permute(2, 0, 1)) for image in tensors]


def cut(image: Tensor, strip: tuple[float, float], n: int, generator: torch.Generator) -> Tensor:
    """n square patches (n,3,SIZE,SIZE) uint8 from a strip of an image (3,H,W), at places and scales drawn uniformly."""
    _, height, width = image.shape
    left, right = (int(fraction * width) for fraction in strip)
    scales = torch.randint(SCALES[0], SCALES[1] + 1, (n,), generator=generator)
    places = torch.rand(n, 2, generator=generator)
    tops = (places[:, 0] * (height - scales + 1)).long()
    lefts = left + (places[:, 1] * (right - left - scales + 1)).long()
    patches = [
        F.interpolate(image[None, :, t : t + s, m : m + s].float(), size=(SIZE, SIZE), mode="bilinear", antialias=True)
        for t, m, s in zip(tops.tolist(), lefts.tolist(), scales.tolist(), strict=True)
    ]
    return torch.cat(patches).round().clamp(0, 255).to(torch.uint8)
