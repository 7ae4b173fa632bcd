"""Rotation: predict by how many quarter turns a picture was rotated (Gidaris et al., 2018)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import measures
from sslcourse.training import PretextTask


def rotate_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    """All pictures in each of the four turns, and by how many quarter turns each was turned, counter-clockwise.

    x (B,C,H,H) -> inputs (4B,C,H,H), the four turns one after another, and z (4B,) int64 in 0 to 3.
    Source: Gidaris et al., 2018, section 2.1, where flips and transposes do the same without interpolation.
    """
    inputs = torch.cat([torch.rot90(x, turns, dims=(2, 3)) for turns in range(4)])
    return inputs, torch.arange(4, device=x.device).repeat_interleave(len(x))


def rotation_head(dim: int) -> nn.Module:
    """A new, linear head k_gamma: features (B,dim) -> logits of the four turns (B,4)."""
    return nn.Linear(dim, 4)


class Rotation(PretextTask):
    """Classify square pictures by their turn: the pseudo-label z is the number of quarter turns, 0 to 3.

    dim: features of the encoder. views: an augmentation of the turned pictures, such as crops that move them about, so
    that their place does not give the turn away. before: an augmentation before the turn, such as mirroring, which
    after it would make other pseudo-labels right. turn: x -> (inputs, z); head: dim -> k_gamma.
    """

    def __init__(
        self,
        dim: int,
        views: Callable | None = None,
        before: Callable | None = None,
        turn: Callable = rotate_batch,
        head: Callable = rotation_head,
    ):
        super().__init__()
        self.head = head(dim)
        self.views, self.before, self.turn = views, before, turn

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Pictures x (B,C,H,H) -> turned ones (4B,C,H,H) and z (4B,), as `turn` makes them."""
        inputs, z = self.turn(self.before(x, generator) if self.before else x)
        inputs = self.views(inputs, generator) if self.views else inputs
        return inputs, z.to(inputs.device)  # a student's `turn` may make z on the CPU

    def loss(self, prediction: Tensor, z: Tensor) -> Tensor:
        return F.cross_entropy(prediction, z)


@torch.no_grad()
def turn_probabilities(encoder: nn.Module, head: nn.Module, x: Tensor) -> Tensor:
    """A trained network's probabilities (N,4) of the four turns of raw pictures x (N,C,H,H), on the CPU."""
    return head(measures.embed(encoder, x)).softmax(dim=1).cpu()
