"""Turned views whose turn the features must tell: equivariance beside invariance (Dangovski et al., 2022)."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import encoders
from sslcourse.contrastive.simclr import SimCLR
from sslcourse.data import Data
from sslcourse.training import channels


def turn_loss(a: Tensor, b: Tensor, M: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Cross-entropy of the turn that leads from a picture's first view to its second, in nats, mean over pictures.

    a, b: features (B,D) of the views; first, second: (B,) int64, by how many quarter turns each was turned; M: (4,D,D),
    a matrix a turn. The score of turn t is a^T M_t b. After Lee et al., 2021, who predict the difference of two views'
    parameters.
    """
    scores = torch.einsum("bi,tij,bj->bt", a, M, b)
    return F.cross_entropy(scores, (second - first) % 4)


class PredictedTurns(SimCLR):
    """SimCLR whose views are turned pictures, and a second loss: by which turn do the two views of a picture differ?

    dim: features of the encoder. criterion: `turn_loss`, or a student's version of it. Both losses have weight one.
    """

    def __init__(self, dim: int, temperature: float = 0.1, criterion: Callable = turn_loss):
        super().__init__(dim, temperature)
        self.M = nn.Parameter(torch.randn(4, dim, dim) / dim)
        self.turn_criterion = criterion

    @classmethod
    def on(cls, data: Data, **settings: float) -> tuple[nn.Module, Self]:
        encoder = encoders.ConvNet(in_channels=channels(data, cls.__name__))
        return encoder, cls(encoder.dim, **settings)

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Square pictures x (B,C,H,H) -> turned views (2B,C,H,H) and z: each one's partner (2B,) and turn (2B,)."""
        x = torch.cat([x, x])
        turns = torch.randint(4, (len(x),), generator=generator).to(x.device)
        turned = torch.stack([torch.rot90(x, turn, dims=(2, 3)) for turn in range(4)])
        rows = torch.arange(len(x), device=x.device)
        return turned[turns, rows], (rows.roll(len(x) // 2), turns)

    def forward(self, encoder: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
        h = encoder(inputs)
        return self.head(h), h

    def loss(self, prediction: tuple[Tensor, Tensor], z: tuple[Tensor, Tensor]) -> Tensor:
        (v, h), (partner, turns) = prediction, z
        return super().loss(v, partner) + self.turn_criterion(*h.chunk(2), self.M, *turns.chunk(2))
