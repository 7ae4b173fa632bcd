"""Lesson 4.1, on the student's side."""

import copy
from collections.abc import Callable
from functools import partial
from numbers import Real

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sslcourse.checks.apply import call, loss_run, same


class Operations(TorchFunctionMode):
    """Count the calls of torch within a block, and each number that `tolist` hands to plain Python as one more."""

    count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += args[0].numel() if func is Tensor.tolist else 1
        return func(*args, **(kwargs or {}))


def batch_run(fn: Callable, inputs: dict) -> dict:
    """As `call`, for a function of a batch, with "operations": how many it needs for 4 and for 32 samples."""
    batches = {n: repeated(inputs, n) for n in (4, 32)}
    outputs, operations = call(fn, inputs), []
    for n, batch in batches.items():
        with Operations() as counter:
            fn(**batch)
        operations.append((n, counter.count))
    return outputs | {"operations": operations}


def repeated(inputs: dict, n: int) -> dict:
    """Inputs with their samples repeated or cut to n: tensors (B,...) become (n,...), other values stay."""
    return {k: v[torch.arange(n) % len(v)] if isinstance(v, Tensor) else v for k, v in inputs.items()}


def factor_features(inputs: dict) -> Callable:
    """A random encoder h: sprites (N,3,32,32) uint8 -> features (N,dim) whose mean is far from zero."""
    generator = torch.Generator().manual_seed(inputs["seed"])
    W = torch.randn(3 * 32 * 32, inputs["dim"], generator=generator) / 20
    return lambda pictures: torch.relu(pictures.flatten(1).float() / 255 @ W + 1)


def factor_run(fn: Callable, inputs: dict) -> dict:
    """The invariance that fn measures of the inputs' random encoder, on sprites with the inputs' factors."""
    from sslcourse.data.sprites import render

    factors = inputs["factors"]
    before = copy.deepcopy(factors)
    outputs = call(partial(fn, factor_features(inputs), render, factors), {k: inputs[k] for k in ("name", "order")})
    changed = [name for name in before if name not in factors or not same(before[name], factors[name])]
    result = outputs["result"]
    result = float(result) if isinstance(result, Real) else result  # NumPy's numbers do not cross to the grader
    return {"result": result, "changed": outputs["changed"] + changed}


def turn_run(fn: Callable, inputs: dict) -> dict:
    """The loss, and its gradients with respect to a, b and M, None where there is none."""
    outputs, gradients = loss_run(fn, inputs, [inputs[name].requires_grad_() for name in ("a", "b", "M")])
    return outputs | {"gradients": gradients}
