"""Lesson 2.1, on the student's side."""

from collections.abc import Callable

import torch
from torch import Tensor

from sslcourse.checks.apply import call


def energy_run(fn: Callable, inputs: dict) -> dict:
    """What `call` gives, and the gradients of the free energies' sum with respect to W, b and c, None where none is."""
    parts = {name: inputs[name].requires_grad_() for name in "Wbc"}
    energies = []  # with their graph, which `call` detaches

    def with_graph(**options):
        energies.append(fn(**options))
        return energies[0]

    outputs, gradients = call(with_graph, inputs), [None] * len(parts)
    if isinstance(energies[0], Tensor) and energies[0].requires_grad:
        gradients = torch.autograd.grad(energies[0].sum(), list(parts.values()), allow_unused=True)
    return outputs | {"gradients": dict(zip(parts, gradients, strict=True))}
