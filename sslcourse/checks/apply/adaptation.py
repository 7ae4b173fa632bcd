"""Lesson 5.1, on the student's side."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sslcourse.checks.apply import plain, same


def lora_run(fn: Callable, inputs: dict) -> dict:
    """What a layer with an adapter gives for x, at the start and with its two matrices set to the inputs' A and B.

    shapes, start: the shapes and first values of the trainable parameters; at start, after: the output before and after
    A and B are set; reached: which trainable parameters a gradient reaches; x gradient: the gradient of half the
    output's sum of squares with respect to x; moved: whether the layer's own parameters have changed.
    """
    weight, x = inputs["weight"], inputs["x"]
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.load_state_dict({"weight": weight.clone(), "bias": inputs["bias"].clone()})
    original = layer.weight, layer.bias  # a parametrisation puts other tensors in their place
    module = fn(layer, inputs["rank"], inputs["alpha"])
    if not isinstance(module, nn.Module) or isinstance(module, type):
        return {"built": module.__name__ if isinstance(module, type) else type(module).__name__}
    trainable = [p for p in module.parameters() if p.requires_grad]
    outputs = {"shapes": [list(p.shape) for p in trainable], "start": [p.detach().clone() for p in trainable]}
    outputs["at start"] = plain(module(x.clone()))
    with torch.no_grad():
        for p in trainable:
            for matrix in (inputs["A"], inputs["B"], inputs["A"].T, inputs["B"].T):
                if p.shape == matrix.shape:
                    p.copy_(matrix)
    x = x.clone().requires_grad_()  # as if it came from a layer below, which learns, too
    after = module(x)
    gradients = [None] * (len(trainable) + 1)
    if isinstance(after, Tensor) and after.requires_grad:
        gradients = torch.autograd.grad(after.square().sum() / 2, [*trainable, x], allow_unused=True)
    return outputs | {
        "after": plain(after),
        "reached": [gradient is not None and bool(gradient.abs().max() > 0) for gradient in gradients[:-1]],
        "x gradient": plain(gradients[-1]),
        "moved": not all(same(p.detach(), inputs[name]) for p, name in zip(original, ("weight", "bias"), strict=True)),
    }


class Counted(nn.Module):
    """An encoder x (N,d) -> tanh(x V^T), (N,D), that counts how often it is called."""

    def __init__(self, V: Tensor):
        super().__init__()
        self.V, self.passes = nn.Parameter(V), 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return torch.tanh(x @ self.V.T)


def step_run(fn: Callable, inputs: dict) -> dict:
    """What a step of fine-tuning leaves: weights V, W and b after it, how often the encoder ran, inputs that changed.

    The encoder has old gradients; the optimizer is plain gradient descent with a rate for the encoder and one for the
    head. error: what was raised where the encoder is frozen, else nothing.
    """
    W, x, y = inputs["W"], inputs["x"], inputs["y"]
    encoder, head = Counted(inputs["V"].clone()), nn.Linear(W.shape[1], len(W))
    head.load_state_dict({"weight": W.clone(), "bias": inputs["b"].clone()})
    encoder.requires_grad_(not inputs["frozen"])
    groups = [{"params": part.parameters(), "lr": lr} for part, lr in zip((encoder, head), inputs["lr"], strict=True)]
    encoder.V.grad = None if inputs["frozen"] else inputs["old"].clone()
    optimizer = torch.optim.SGD(groups[1:] if inputs["frozen"] else groups)
    before, error = {"x": x.clone(), "y": y.clone()}, ""
    try:
        fn(encoder, head, x, y, optimizer)
    except RuntimeError as raised:
        if not inputs["frozen"]:
            raise
        error = f"{type(raised).__name__}: {str(raised).splitlines()[0]}"
    return {
        "error": error,
        "passes": encoder.passes,
        "changed": [name for name, value in before.items() if not same(value, inputs[name])],
        "after": [p.detach().clone() for p in (encoder.V, head.weight, head.bias)],
    }
