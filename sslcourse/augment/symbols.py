"""Views of drawn symbols: one of a symbol's drawings, then turned, scaled, slanted, moved, and drawn less clearly."""


import torch
from torch import Tensor

from sslcourse.augment import functional
from sslcourse.augment.drawn import Augmentation, Blur, Compose, Jitter, Noise, moved, uniform


class OneDrawing:
    """One of the C drawings of each sample, with equal chances: (B,C,H,W) -> (B,1,H,W)."""

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        device = generator.device if generator is not None else x.device
        chosen = torch.randint(x.shape[1], (len(x),), generator=generator, device=device)
        return x[torch.arange(len(x), device=x.device), moved(chosen, x.device)].unsqueeze(1)

    def __repr__(self) -> str:
        return "OneDrawing()"


class Affine(Augmentation):
    """Turned by up to 30 degrees, scaled by up to exp(0.3) = 1.35 either way, slanted, and moved by an eighth.

    What comes in from outside continues the picture's border.
    """

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        def within(reach: float) -> Tensor:
            return uniform(x, generator, -reach, reach) * self.strength * on

        degrees, scale, shear = within(30), within(0.3).exp(), within(0.3)
        return functional.affine(x, degrees, scale, shear, torch.stack([within(1 / 8), within(1 / 8)], dim=1))


def symbols(drawing: int | None = None, strength: float = 1.0) -> Compose:
    """Views (B,1,H,W) of symbols (B,2,H,W): of the drawing with this number or, by default, of one drawn at random."""
    chosen = OneDrawing() if drawing is None else TheDrawing(drawing)
    return Compose(chosen, Affine(strength), Jitter(0.5 * strength), Blur(0.5 * strength, p=0.5), Noise(0.5 * strength))


class TheDrawing:
    """The drawing with this number: (B,C,H,W) -> (B,1,H,W)."""

    def __init__(self, number: int):
        self.number = number

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x[:, self.number : self.number + 1]

    def __repr__(self) -> str:
        return f"TheDrawing({self.number})"
