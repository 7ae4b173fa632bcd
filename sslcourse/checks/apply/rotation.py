"""Lesson 3.1, on the student's side."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from sslcourse.checks.apply import call, same


def linear_network(weights: Tensor) -> Callable:
    """Pictures (N,C,H,W) -> logits (N,4) by weights (4, C H W)."""
    return lambda pictures: pictures.flatten(1) @ weights.T


def vote_run(fn: Callable, inputs: dict) -> dict:
    """What `call` gives for a vote on pictures x of a linear network with these weights."""
    network = linear_network(inputs["weights"])
    return call(lambda x: fn(network, x), {"x": inputs["x"]})


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
