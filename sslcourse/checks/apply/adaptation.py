"""Lesson 5.1, on the student's side."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sslcourse.checks.apply import plain, same


def lora_run(fn: Callable, inputs: dict) -> dict:
    """What a layer with an adapter answers at its start, and after its two matrices were set to A and B of the inputs.

    trainable: the shapes of what asks for gradients; start: their values; reached: which of them a gradient reaches;
    down: the gradient of half the answer's sum of squares in x.
    """
    weight, x = inputs["weight"], inputs["x"]
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.load_state_dict({"weight": weight.clone(), "bias": inputs["bias"].clone()})
    kept = layer.weight, layer.bias  # a parametrisation puts other tensors in their place
    module = fn(layer, inputs["rank"], inputs["alpha"])
    if not isinstance(module, nn.Module) or isinstance(module, type):
        return {"built": module.__name__ if isinstance(module, type) else type(module).__name__}
    learn = [p for p in module.parameters() if p.requires_grad]
    made = {"trainable": [list(p.shape) for p in learn], "start": [p.detach().clone() for p in learn]}
    made["at start"] = plain(module(x.clone()))
    with torch.no_grad():
        for p in learn:
            for matrix in (inputs["A"], inputs["B"], inputs["A"].T, inputs["B"].T):
                if p.shape == matrix.shape:
                    p.copy_(matrix)
    below = x.clone().requires_grad_()  # as if it came from a layer below, which learns, too
    after = module(below)
    gradients = [None] * (len(learn) + 1)
    if isinstance(after, Tensor) and after.requires_grad:
        gradients = torch.autograd.grad(after.square().sum() / 2, [*learn, below], allow_unused=True)
    return made | {
        "after": plain(after),
        "reached": [gradient is not None and bool(gradient.abs().max() > 0) for gradient in gradients[:-1]],
        "down": plain(gradients[-1]),
        "moved": not all(same(now.detach(), inputs[name]) for now, name in zip(kept, ("weight", "bias"), strict=True)),
    }
