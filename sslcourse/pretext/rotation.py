"""Rotation: tell by how many quarter turns a picture was turned (Gidaris et al., 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse.training import PretextTask


class Rotation(PretextTask):
    """Classify square pictures by their turn: the pseudo-label z is the number of quarter turns, 0 to 3.

    dim: features of the encoder. The head k_gamma is linear.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.head = nn.Linear(dim, 4)

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """x (B,C,H,H) in all four turns, one after another (4B,C,H,H), and z (4B,); nothing is left to chance."""
        inputs = torch.cat([torch.rot90(x, turns, dims=(2, 3)) for turns in range(4)])
        return inputs, torch.arange(4, device=x.device).repeat_interleave(len(x))

    def loss(self, prediction: Tensor, z: Tensor) -> Tensor:
        return F.cross_entropy(prediction, z)
