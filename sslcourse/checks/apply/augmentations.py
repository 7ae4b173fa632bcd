"""Lesson 4.1, on the student's side."""

import copy
from collections.abc import Callable
from functools import partial
from numbers import Real

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sslcourse.checks.apply import call, same


class Operations(TorchFunctionMode):
    """Counts the calls of torch within its block; each number that `tolist` hands to plain Python is one, too."""

    count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += args[0].numel() if func is Tensor.tolist else 1
        return func(*args, **(kwargs or {}))


def batch_run(fn: Callable, inputs: dict) -> dict:
    """As `call`, for a function of a batch, with the operations it needs by the number of samples, 4 and 32."""
    batches = {n: repeated(inputs, n) for n in (4, 32)}
    outputs, operations = call(fn, inputs), []
    for n, batch in batches.items():
        with Operations() as seen:
            fn(**batch)
        operations.append((n, seen.count))
    return outputs | {"operations": operations}


def repeated(inputs: dict, n: int) -> dict:
    """The same inputs with n samples: tensors (B,...) become (n,...), and what is no tensor stays."""
    return {k: v[torch.arange(n) % len(v)] if isinstance(v, Tensor) else v for k, v in inputs.items()}


def factor_features(inputs: dict) -> Callable:
    """h: sprites (N,3,32,32) uint8 -> features (N,dim), as a seed makes it; its features have a mean far from zero."""
    generator = torch.Generator().manual_seed(inputs["seed"])
    W = torch.randn(3 * 32 * 32, inputs["dim"], generator=generator) / 20
    return lambda pictures: torch.relu(pictures.flatten(1).float() / 255 @ W + 1)


def factor_run(fn: Callable, inputs: dict) -> dict:
    """The invariance that fn finds of h as a seed makes it, on sprites with the factors that were given."""
    from sslcourse.data.sprites import render

    factors = inputs["factors"]
    before = copy.deepcopy(factors)
    outputs = call(partial(fn, factor_features(inputs), render, factors), {k: inputs[k] for k in ("name", "order")})
    changed = [name for name in before if name not in factors or not same(before[name], factors[name])]
    result = outputs["result"]
    result = float(result) if isinstance(result, Real) else result  # NumPy's numbers do not cross to the grader
    return {"result": result, "changed": outputs["changed"] + changed}
