"""What a pretext task is: everything in which rotation, masking, SimCLR or CLIP differ, and nothing else."""

from typing import Any

import torch
from torch import Tensor, nn


class PretextTask(nn.Module):
    """A pretext task P with its head k_gamma (Ericsson et al., 2021, section 2).

    A subclass sets `self.head`, writes `make` and `loss`, and overrides the rest where it must.
    """

    head: nn.Module

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
