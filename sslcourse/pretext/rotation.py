"""Rotation: tell by how many quarter turns a picture was turned (Gidaris et al., 2018)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse.training import PretextTask


class Rotation(PretextTask):
    """Classify square pictures by their turn: the pseudo-label z is the number of quarter turns, 0 to 3.

    dim: features of the encoder. views: an augmentation of the turned pictures, such as crops that move them about, so
    that their place does not give the turn away. The head k_gamma is linear.
    """

    def __init__(self, dim: int, views: Callable | None = None):
        super().__init__()
        self.head = nn.Linear(dim, 4)
        self.views = views

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Pictures x (B,C,H,H) -> all of them in each of the four turns, one after another (4B,C,H,H), and z (4B,)."""
        inputs = torch.cat([torch.rot90(x, turns, dims=(2, 3)) for turns in range(4)])
        inputs = self.views(inputs, generator) if self.views else inputs
        return inputs, torch.arange(4, device=x.device).repeat_interleave(len(x))

    def loss(self, prediction: Tensor, z: Tensor) -> Tensor:
        return F.cross_entropy(prediction, z)
