"""What a pretext task is: everything in which rotation, masking, SimCLR or CLIP differ, and nothing else."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from sslcourse import encoders
from sslcourse.data import Data
from sslcourse.errors import CourseError


class PretextTask(nn.Module):
    """A pretext task P with its head k_gamma (Ericsson et al., 2021, section 2).

    A subclass sets `self.head`, writes `make` and `loss`, and overrides the rest where it must.
    """

    head: nn.Module

    @classmethod
    def on(cls, data: Data, **settings: float) -> tuple[nn.Module, Self]:
        """An encoder for a data set of pictures, and the task with that encoder and these settings.

        A task that wants another encoder, or views that suit the data, overrides it. Raises CourseError for data that
        the task cannot take.
        """
        encoder = encoders.ConvNet(in_channels=channels(data, cls.__name__))
        return encoder, cls(encoder.dim, **settings)

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[Any, Any]:
        """Raw inputs x (B,...) -> (inputs of the encoder, pseudo-labels z); all chance comes from generator."""
        raise NotImplementedError

    def forward(self, encoder: nn.Module, inputs: Any) -> Any:
        """What the head predicts from the encoder's features. Runs under autocast."""
        return self.head(encoder(inputs))

    def loss(self, prediction: Any, z: Any) -> Tensor:
        """How far the prediction (float32) is from the pseudo-labels: a scalar."""
        raise NotImplementedError

    def after_step(self, encoder: nn.Module, prediction: Any) -> None:
        """What else changes once the optimiser has moved: a slow copy, a queue. Usually nothing."""


def channels(data: Data, task: str) -> int:
    """The channels of a data set's pictures. CourseError where it holds something else."""
    if data.train.x.ndim != 4:
        raise CourseError(f"{data.name} holds no pictures, and {task} needs pictures.")
    return data.train.x.shape[1]
