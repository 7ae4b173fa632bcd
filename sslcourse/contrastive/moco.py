"""MoCo: negatives from a queue, encoded by a slow copy of the encoder (He et al., 2020)."""

import copy
from collections.abc import Callable, Iterable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import augment
from sslcourse.contrastive.simclr import cosine_similarity, projection_head, suited
from sslcourse.data import Data
from sslcourse.training import PretextTask, gather


@torch.no_grad()
def momentum_update(slow: Iterable[Tensor], fast: Iterable[Tensor], m: float) -> None:
    """slow <- m slow + (1 - m) fast, in place, parameter by parameter; no gradient is recorded.

    m in [0,1], usually close to 1. Source: He et al., 2020, equation 2.
    """
    for s, f in zip(slow, fast, strict=True):
        s.lerp_(f, 1 - m)


class MoCo(PretextTask):
    """Find the other view of the same sample among a queue of earlier ones.

    encoder: the one that will be pretrained; the task keeps a slow copy of it. queue: how many keys serve as negatives.
    m: momentum of the slow copy. update: the momentum update, or a student's version of it.
    """

    def __init__(
        self,
        encoder: nn.Module,
        temperature: float = 0.2,
        queue: int = 2048,
        m: float = 0.99,
        views: Callable | None = None,
        update=momentum_update,
    ):
        super().__init__()
        self.head = projection_head(encoder.dim)
        self.slow = copy.deepcopy(nn.Sequential(encoder, self.head)).requires_grad_(False)
        self.register_buffer("queue", torch.randn(queue, self.head[-1].out_features))
        self.temperature, self.m = temperature, m
        self.views = views or augment.simclr()
        self.update = update

    @classmethod
    def on(cls, data: Data, **settings: float) -> tuple[nn.Module, Self]:
        encoder, views = suited(data, cls.__name__)
        return encoder, cls(encoder, views=views, **settings)

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        inputs = self.views(torch.cat([x, x]), generator)
        return inputs, torch.zeros(len(x), dtype=torch.long, device=x.device)  # column 0 holds the partner

    def forward(self, encoder: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
        x_q, x_k = inputs.chunk(2)
        with torch.no_grad():
            k = self.slow(x_k)
        return self.head(encoder(x_q)), k

    def loss(self, prediction: tuple[Tensor, Tensor], z: Tensor) -> Tensor:
        q, k = prediction
        positive = F.cosine_similarity(q, k).unsqueeze(1)
        negative = cosine_similarity(q, self.queue)
        return F.cross_entropy(torch.cat([positive, negative], dim=1) / self.temperature, z)

    @torch.no_grad()
    def after_step(self, encoder: nn.Module, prediction: tuple[Tensor, Tensor]) -> None:
        keys = gather(prediction[1])[: len(self.queue)]
        self.queue.copy_(torch.cat([keys, self.queue[: len(self.queue) - len(keys)]]))  # first in, first out
        self.update(list(self.slow.parameters()), [*encoder.parameters(), *self.head.parameters()], self.m)
