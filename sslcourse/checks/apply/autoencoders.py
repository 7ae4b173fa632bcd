"""Lesson 2.2, on the student's side."""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sslcourse.checks.apply import loss_run, plain, same


def unroll_run(fn: Callable, inputs: dict) -> dict:
    """The layers as lists of [weight, bias], and the names of the inputs, lists of tensors, that were altered."""
    before = copy.deepcopy(inputs)
    result = plain(fn(**inputs))

    def altered(old: list, new: list) -> bool:
        return len(old) != len(new) or not all(same(a, b) for a, b in zip(old, new, strict=True))

    return {"result": result, "changed": [name for name in before if altered(before[name], inputs[name])]}


def small_encoder(W: Tensor) -> Callable:
    """An encoder: x (N,D) -> code sigmoid(x W^T), (N,d)."""
    return lambda x: torch.sigmoid(x.to(W) @ W.T)


def small_decoder(V: Tensor) -> Callable:
    """A decoder: code (N,d) -> logits code V^T, (N,D)."""
    return lambda code: code.to(V) @ V.T


def denoising_run(fn: Callable, inputs: dict) -> dict:
    """The loss, the batches that the encoder received, and whether a gradient reaches encoder and decoder."""
    W, V = (inputs.pop(name).requires_grad_() for name in ("W", "V"))
    encoder, received = small_encoder(W), []

    def encode(x: Tensor) -> Tensor:
        received.append(x.detach().clone())
        return encoder(x)

    outputs, gradients = loss_run(partial(fn, encode=encode, decode=small_decoder(V)), inputs, [W, V])
    return outputs | {"received": plain(received), "connected": all(gradient is not None for gradient in gradients)}
