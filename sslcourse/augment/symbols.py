"""Views of drawn symbols: one of a symbol's drawings, then turned, scaled, slanted, moved, and drawn less clearly."""

import torch
from torch import Tensor

from sslcourse.augment import functional
from sslcourse.augment.drawn import Augmentation, Blur, Compose, Jitter, Noise, uniform


def drawing(x: Tensor, which: int | Tensor) -> Tensor:
    """One drawing of each card x (B,C,H,2W), the left (0) or the right (1), for all or by which (B,): (B,C,H,W)."""
    halves = torch.stack(x.chunk(2, dim=3))
    if isinstance(which, int):
        return halves[which]
    return halves[which, torch.arange(len(x), device=x.device)]


class Drawing:
    """One drawing of each card (B,C,H,2W) -> (B,C,H,W): the left (0), the right (1) or, by default, one at random."""

    def __init__(self, which: int | None = None):
        self.which = which

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        if self.which is not None:
            return drawing(x, self.which)
        return drawing(x, (uniform(x, generator) < 0.5).long())

    def __repr__(self) -> str:
        return f"Drawing({self.which})"


class Affine(Augmentation):
    """Turned by up to 30 degrees, scaled by up to exp(0.3) = 1.35 either way, slanted, and moved by an eighth.

    What comes in from outside continues the picture's border.
    """

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        def within(reach: float) -> Tensor:
            return uniform(x, generator, -reach, reach) * self.strength * on

        degrees, scale, shear = within(30), within(0.3).exp(), within(0.3)
        return functional.affine(x, degrees, scale, shear, torch.stack([within(1 / 8), within(1 / 8)], dim=1))


class Lighten(Augmentation):
    """Greys lightened, to white where they are light enough: at most, areas vanish and lines stay."""

    def __init__(self, strength: float = 1.0, p: float = 0.5):
        super().__init__(strength, p)

    def apply(self, x: Tensor, on: Tensor, generator: torch.Generator | None) -> Tensor:
        white = 1 - uniform(x, generator, 0, 0.6) * self.strength * on
        return (x / functional.per_sample(white)).clamp(max=1)


def symbols(which: int | None = None, strength: float = 1.0) -> Compose:
    """Views (B,1,H,W) of cards with two drawings (B,1,H,2W): of the one named or, by default, of either."""
    distortions = (
        Lighten(strength),
        Affine(strength),
        Jitter(0.5 * strength),
        Blur(0.5 * strength, p=0.5),
        Noise(0.5 * strength),
    )
    return Compose(Drawing(which), *distortions)


def placed(cards: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Pictures (B,1,H,W) of cards, placed and lit as drawn, and how: {factor: (B,)}, of the factors below.

    "size": log of the scale; "turn": degrees; "from left", "from above": shifts in pictures; "brightness": a factor.
    """
    reach = {"size": 0.3, "turn": 30, "from left": 1 / 8, "from above": 1 / 8, "brightness": 0.4}
    factors = {name: uniform(cards, generator, -limit, limit) for name, limit in reach.items()}
    shift = torch.stack([factors["from left"], factors["from above"]], dim=1)
    still = torch.zeros(len(cards), device=cards.device)
    x = functional.affine(drawing(cards, 0), factors["turn"], factors["size"].exp(), still, shift)
    return (x * functional.per_sample(0.6 + factors["brightness"])).clamp(0, 1), factors
