"""Sprites: shapes with known factors of variation, after dSprites (Matthey et al., 2017)."""

import math

import torch
from torch import Tensor

from sslcourse.data import Data, Split

SHAPES = ("square", "ellipse", "heart")
SIZE = 32
CHUNK = 256  # sprites drawn at a time: what is computed for them fits into a processor's cache
# What each factor is drawn from, uniformly. Scale and place are fractions of the picture's side; rotation in turns.
RANGES = {"scale": (0.4, 0.75), "rotation": (0.0, 1.0), "x": (0.37, 0.63), "y": (0.37, 0.63)}


def load() -> Data:
    """4,000 / 500 / 1,000 sprites (3,32,32) with factors shape, color, scale, rotation, x, y; the class is the shape.

    Source: generated here. Licence: CC0. After dSprites (github.com/google-deepmind/dsprites-dataset), with colour.
    """
    sizes = {"train": 4000, "val": 500, "test": 1000}
    splits = {name: _draw(n, seed) for seed, (name, n) in enumerate(sizes.items())}
    return Data(
        name="sprites",
        what="32x32 shapes with known factors, colour",
        classes=SHAPES,
        **splits,
        source="generated, after dSprites (Matthey et al., 2017)",
        licence="CC0",
    )


def _draw(n: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    factors = {"shape": torch.randint(len(SHAPES), (n,), generator=generator)}
    factors["color"] = torch.rand(n, generator=generator)
    for name, (low, high) in RANGES.items():
        factors[name] = low + (high - low) * torch.rand(n, generator=generator)
    return Split(render(**factors), factors["shape"], factors)


def render(shape: Tensor, color: Tensor, scale: Tensor, rotation: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sprites (B,3,32,32) uint8 on black from their factors, each (B,).

    shape: 0, 1 or 2 (SHAPES); color: hue in turns; scale: side in pictures; rotation in turns, counter-clockwise;
    x, y: centre in pictures, from the left and from the top.
    """
    parts = zip(*(factor.split(CHUNK) for factor in (shape, color, scale, rotation, x, y)), strict=True)
    return torch.cat([_render(*part) for part in parts])


def _render(shape: Tensor, color: Tensor, scale: Tensor, rotation: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sprites of one chunk, as in `render`."""
    fine = 2 * SIZE  # drawn twice too large, then averaged: smooth edges
    axis = (torch.arange(fine, device=x.device) + 0.5) / fine
    u = (axis[None, None, :] - x[:, None, None]) / scale[:, None, None]
    v = (y[:, None, None] - axis[None, :, None]) / scale[:, None, None]
    cos, sin = ((f(2 * math.pi * rotation))[:, None, None] for f in (torch.cos, torch.sin))
    u, v = cos * u + sin * v, cos * v - sin * u
    inside = torch.stack([_square(u, v), _ellipse(u, v), _heart(u, v)], dim=1)
    chosen = inside[torch.arange(len(shape)), shape].float()[:, None]
    mask = torch.nn.functional.avg_pool2d(chosen, fine // SIZE)
    return (255 * mask * _rgb(color)[:, :, None, None]).round().to(torch.uint8)


def _square(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) < 0.35


def _ellipse(u: Tensor, v: Tensor) -> Tensor:
    return (u / 0.5) ** 2 + (v / 0.28) ** 2 < 1


def _heart(u: Tensor, v: Tensor) -> Tensor:
    """The algebraic curve (u^2 + v^2 - 1)^3 = u^2 v^3, scaled to the size of the other shapes."""
    u, v = 2.5 * u, 2.5 * v
    return (u**2 + v**2 - 1) ** 3 < u**2 * v**3


def _rgb(hue: Tensor) -> Tensor:
    """Fully saturated colours (B,3) in [0,1] of hues in turns."""
    thirds = torch.tensor([0.0, 1 / 3, 2 / 3], device=hue.device)
    distance = ((hue[:, None] - thirds + 0.5) % 1 - 0.5).abs()
    return (2 - 6 * distance).clamp(0, 1)
