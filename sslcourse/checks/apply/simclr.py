"""Lesson 4.2, on the student's side."""

from collections.abc import Callable

from torch import nn

from sslcourse.checks.apply import loss_run


def xent_run(fn: Callable, inputs: dict) -> dict:
    """The loss, and its gradient with respect to v, None where there is none."""
    outputs, (gradient,) = loss_run(fn, inputs, [inputs["v"].requires_grad_()])
    return outputs | {"gradient": gradient}


def momentum_run(fn: Callable, inputs: dict) -> dict:
    """The parameters after the update, and whether autograd recorded it."""
    slow = [nn.Parameter(p, requires_grad=inputs["slow_asks"]) for p in inputs["slow"]]
    fast = [nn.Parameter(p) for p in inputs["fast"]]
    fn(list(slow), list(fast), inputs["m"])
    return {
        "slow": [p.detach().clone() for p in slow],
        "fast": [p.detach().clone() for p in fast],
        "recorded": any(p.grad_fn is not None for p in [*slow, *fast]),
    }
