"""Lesson 1.1, on the student's side."""

from collections.abc import Callable

from sslcourse.checks.apply import loss_run


def consistency_run(fn: Callable, inputs: dict) -> dict:
    """The loss, and its gradients with respect to on_weak and on_strong, None where there is none."""
    outputs, gradients = loss_run(fn, inputs, [inputs[name].requires_grad_() for name in ("on_weak", "on_strong")])
    return outputs | {"gradients": gradients}
