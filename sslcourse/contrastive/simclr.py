"""SimCLR: each sample is a class of its own, and its two views are the examples of that class (Chen et al., 2020)."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import augment, encoders
from sslcourse.data import Data
from sslcourse.training import PretextTask, channels, gather


def cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between every row of a (N,d) and every row of b (M,d): (N,M) in [-1,1]."""
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


def similarity_logits(v: Tensor, temperature: float) -> Tensor:
    """Cosines of all pairs of rows of v (2B,d), divided by the temperature, -inf on the diagonal: (2B,2B)."""
    diagonal = torch.eye(len(v), dtype=torch.bool, device=v.device)
    return (cosine_similarity(v, v) / temperature).masked_fill(diagonal, -torch.inf)


def nt_xent(v: Tensor, z: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy: which of the other rows is my partner?

    v: (2B,d) projected views; z: (2B,) int64, the row of each row's partner, which is the pseudo-label; temperature
    is positive. Returns the mean over rows, in nats. Source: Chen et al., 2020, equation 1.
    """
    return F.cross_entropy(similarity_logits(v, temperature), z)


class SimCLR(PretextTask):
    """Find the other view of the same sample among all views of the batch.

    dim: features of the encoder. views: an augmentation, called on a batch (B,C,H,W). criterion: NT-Xent, or a
    student's version of it. The head k_gamma is the paper's two-layer projection (Chen et al., 2020, section 2.1).
    """

    def __init__(self, dim: int, temperature: float = 0.2, views: Callable | None = None, criterion=nt_xent):
        super().__init__()
        self.head = projection_head(dim)
        self.temperature = temperature
        self.views = views or augment.simclr()
        self.criterion = criterion

    @classmethod
    def on(cls, data: Data, **settings: float) -> tuple[nn.Module, Self]:
        encoder, views = suited(data, cls.__name__)
        return encoder, cls(encoder.dim, views=views, **settings)

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        inputs = self.views(torch.cat([x, x]), generator)
        z = torch.arange(len(inputs), device=x.device).roll(len(x))
        return inputs, z

    def loss(self, prediction: Tensor, z: Tensor) -> Tensor:
        v = gather(prediction)
        ranks = len(v) // len(prediction)
        offsets = torch.arange(ranks, device=z.device).repeat_interleave(len(z)) * len(z)
        return self.criterion(v, z.repeat(ranks) + offsets, self.temperature)


def suited(data: Data, task: str) -> tuple[nn.Module, Callable]:
    """An encoder and views for a data set of pictures; CourseError where it holds something else."""
    if data.name == "symbols":
        return encoders.FineConvNet(in_channels=1), augment.symbols()
    return encoders.ConvNet(in_channels=channels(data, task)), augment.simclr(flip=data.mirrored)


def projection_head(dim: int, out: int = 64) -> nn.Sequential:
    """k_gamma: (B,dim) -> (B,out). Without batch normalisation, so that no sample's projection depends on another."""
    return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(inplace=True), nn.Linear(dim, out))
