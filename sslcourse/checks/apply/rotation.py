"""Lesson 3.1, on the student's side."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from sslcourse.checks.apply import call, same


def head_run(fn: Callable, inputs: dict) -> dict:
    """What a head for `dim` features gives before and after training on features x with turns z.

    built, class: the type of a result that is no module, and whether it is a class. Otherwise shape: that of the
    untrained head's logits; trainable: its number of trainable parameters; shared: whether two heads share parameters;
    trained, scaled: the trained head's logits for x and for 100 x; gradient: with respect to x.
    """
    x, z = inputs["x"].requires_grad_(), inputs["z"]
    head, another = fn(inputs["dim"]), fn(inputs["dim"])
    if not isinstance(head, nn.Module):
        return {
            "built": head.__name__ if isinstance(head, type) else type(head).__name__,
            "class": isinstance(head, type),
        }
    logits = head(x)
    shape = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    trainable = [p for p in head.parameters() if p.requires_grad]
    if shape != [len(x), 4] or not trainable:
        return {"shape": shape, "trainable": len(trainable)}
    optimizer = torch.optim.Adam(trainable, lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(x.detach()), z).backward()
        optimizer.step()
    trained, scaled = head(x), head(100 * x.detach())
    (gradient,) = (
        torch.autograd.grad(trained.square().sum(), x, allow_unused=True) if trained.requires_grad else (None,)
    )
    shared = {id(p) for p in head.parameters()} & {id(p) for p in another.parameters()}
    return {
        "shape": shape,
        "trainable": len(trainable),
        "shared": bool(shared),
        "trained": trained.detach(),
        "scaled": scaled.detach(),
        "gradient": gradient,
    }


def transfer_networks(inputs: dict) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Random networks h, k and g; h has batch normalisation, in training mode, with random running statistics."""
    dim = inputs["dim"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(inputs["seed"])
        h = nn.Sequential(nn.Flatten(), nn.Linear(inputs["x"][0].numel(), dim), nn.BatchNorm1d(dim), nn.Tanh())
        k, g = nn.Linear(dim, 4), nn.Linear(dim, inputs["classes"])
        h[2].running_mean.normal_()
        h[2].running_var.uniform_(0.5, 2)
    return h, k, g


def transfer_run(fn: Callable, inputs: dict) -> dict:
    """The prediction, which of h, k and g its gradient reaches, and which tensors of h have changed."""
    networks = dict(zip("hkg", transfer_networks(inputs), strict=True))
    before = copy.deepcopy(networks["h"].state_dict())
    predictions = []  # with their graph, which `call` detaches

    def with_graph(x):
        predictions.append(fn(networks["h"], networks["k"], networks["g"], x))
        return predictions[0]

    outputs = call(with_graph, {"x": inputs["x"]})
    prediction = predictions[0]
    if isinstance(prediction, Tensor) and prediction.requires_grad:
        prediction.square().sum().backward()
    reached = {name: any(p.grad is not None for p in network.parameters()) for name, network in networks.items()}
    after = networks["h"].state_dict()
    return outputs | {"reached": reached, "moved": [name for name in before if not same(before[name], after[name])]}
