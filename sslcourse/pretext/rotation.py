"""Rotation: predict by how many quarter turns a picture was rotated (Gidaris et al., 2018)."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import augment, encoders, measures
from sslcourse.data import Data
from sslcourse.training import PretextTask


def rotate_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    """All pictures in each of the four turns, and by how many quarter turns each was turned, counter-clockwise.

    x (B,C,H,H) -> inputs (4B,C,H,H), the four turns one after another, and z (4B,) int64 in 0 to 3.
    Source: Gidaris et al., 2018, section 2.1, where flips and transposes do the same without interpolation.
    """
    inputs = torch.cat([torch.rot90(x, turns, dims=(2, 3)) for turns in range(4)])
    return inputs, torch.arange(4, device=x.device).repeat_interleave(len(x))


class Rotation(PretextTask):
    """Classify square pictures by their turn: the pseudo-label z is the number of quarter turns, 0 to 3.

    dim: features of the encoder, which the linear head k_gamma reads. views: an augmentation of the turned pictures,
    such as crops that move them about, so that their place does not give the turn away. before: an augmentation before
    the turn, such as mirroring, which after it would make other pseudo-labels right. turn: x -> (inputs, z).
    """

    def __init__(
        self,
        dim: int,
        views: Callable | None = None,
        before: Callable | None = None,
        turn: Callable = rotate_batch,
    ):
        super().__init__()
        self.head = nn.Linear(dim, 4)
        self.views, self.before, self.turn = views, before, turn

    @classmethod
    def on(cls, data: Data, **settings: float) -> tuple[nn.Module, Self]:
        if data.name != "symbols":
            return super().on(data, **settings)
        encoder = encoders.FineConvNet(in_channels=1)
        return encoder, cls(encoder.dim, before=augment.Drawing(), **settings)

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Pictures x (B,C,H,H) -> turned ones (4B,C,H,H) and z (4B,), as `turn` makes them."""
        inputs, z = self.turn(self.before(x, generator) if self.before else x)
        inputs = self.views(inputs, generator) if self.views else inputs
        return inputs, z.to(inputs.device)  # a student's `turn` may make z on the CPU

    def loss(self, prediction: Tensor, z: Tensor) -> Tensor:
        return F.cross_entropy(prediction, z)


@torch.no_grad()
def turn_logits(encoder: nn.Module, head: nn.Module, x: Tensor) -> Tensor:
    """A trained network's logits (N,4) of the four turns of raw pictures x (N,C,H,H), on the CPU."""
    return head(measures.embed(encoder, x)).cpu()


def turn_by_vote(network: Callable, x: Tensor) -> Tensor:
    """Probabilities (B,4) of the four turns of pictures x (B,C,H,H): a vote of what the network says of four copies.

    network: pictures (N,C,H,H) -> logits (N,4). A picture of turn z, turned by k more, has turn z + k, modulo 4. So
    what is said of copy k is rolled back by k; the mean of the log-probabilities, normalised, is the vote.
    """
    copies = [network(torch.rot90(x, turns, dims=(2, 3))).log_softmax(dim=1) for turns in range(4)]
    rolled = [said.roll(-turns, dims=1) for turns, said in enumerate(copies)]
    return torch.stack(rolled).mean(dim=0).softmax(dim=1)
