"""Low-rank adapters: the pretrained weight stays frozen, and a low-rank correction is learned (Hu et al., 2022)."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse.errors import CourseError


def lora(layer: nn.Linear, rank: int, alpha: float) -> nn.Module:
    """A frozen linear layer with an adapter beside it: x (...,in) -> layer(x) + alpha/rank x A^T B^T, (...,out).

    A (rank,in) starts at random and B (out,rank) at zero, so that the module starts equal to the layer; only A and B
    learn. They have the layer's precision and device. Source: Hu et al., 2022, section 4.1.
    """

    class LoRA(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer.requires_grad_(False)
            weight = layer.weight
            self.A = nn.Parameter(torch.randn_like(weight[:1].expand(rank, -1)) / layer.in_features**0.5)
            self.B = nn.Parameter(weight.new_zeros(len(weight), rank))

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) + alpha / rank * (x @ self.A.T @ self.B.T)

    return LoRA()


class OnPatches(nn.Module):
    """A convolution written as one linear layer on all patches: (B,C,H,W) -> (B,C',H',W').

    `linear` is any linear module, (...,C * kernel) -> (...,C'). Its output for the identity matrix is its transposed
    weight, adapters included; convolving with that is faster than cutting out patches. The bias is kept separately.

    Raises CourseError for a convolution in several groups, or padded with anything but zeros.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        if conv.groups > 1 or conv.padding_mode != "zeros":
            raise CourseError(f"{conv} cannot have an adapter; it takes a convolution in one group, padded with zeros.")
        self.shape, self.bias = conv.weight.shape, conv.bias
        self.options = {"stride": conv.stride, "padding": conv.padding, "dilation": conv.dilation}
        self.linear = nn.Linear(conv.weight[0].numel(), conv.out_channels, bias=False)
        self.linear.weight = nn.Parameter(conv.weight.detach().flatten(1).clone())

    def forward(self, x: Tensor) -> Tensor:
        identity = torch.eye(self.shape[1:].numel(), device=x.device)
        return F.conv2d(x, self.linear(identity).T.reshape(self.shape), self.bias, **self.options)


def add_lora(encoder: nn.Module, rank: int, alpha: float, lora: Callable = lora) -> nn.Module:
    """A frozen copy of an encoder in which each convolution has an adapter: lora(layer, rank, alpha) on its patches."""
    adapted = copy.deepcopy(encoder).requires_grad_(False)
    for name, layer in list(adapted.named_modules()):
        if isinstance(layer, nn.Conv2d):
            on_patches = OnPatches(layer)
            on_patches.linear = lora(on_patches.linear, rank, alpha)
            adapted.set_submodule(name, on_patches)
    return adapted
