"""Lesson 2.2, on the student's side."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sslcourse.checks.apply import loss_run, parts_run, plain


class Trainer:
    """Stands in for `train_rbm`: draws an RBM's W, b and c instead of training, and notes what it was asked for.

    What it draws depends on seed, the number of calls before and the shapes, and on no value.
    """

    def __init__(self, seed: int):
        self.seed, self.asked = seed, []

    def __call__(self, x: Tensor, hidden: int, linear: bool) -> tuple[Tensor, Tensor, Tensor]:
        self.asked.append([x.detach().clone(), hidden, bool(linear)])
        draw = partial(torch.randn, generator=torch.Generator().manual_seed(self.seed + len(self.asked)))
        return draw(x.shape[1], hidden), draw(x.shape[1]), draw(hidden)


def stack_run(fn: Callable, inputs: dict) -> dict:
    """What `call` gives, with lists for tuples, and what train_rbm was asked for: [x, hidden, linear] of each call."""
    trainer = Trainer(inputs.pop("seed"))
    outputs = parts_run(partial(fn, train_rbm=trainer), inputs)
    return outputs | {"asked": trainer.asked}


def small_encoder(W: Tensor) -> Callable:
    """An encoder: x (N,D) -> code sigmoid(x W^T), (N,d)."""
    return lambda x: torch.sigmoid(x.to(W) @ W.T)


def small_decoder(V: Tensor) -> Callable:
    """A decoder: code (N,d) -> logits code V^T, (N,D)."""
    return lambda code: code.to(V) @ V.T


def denoising_run(fn: Callable, inputs: dict) -> dict:
    """What `call` gives, the batches that the encoder received, and the gradients of encoder and decoder."""
    W, V = (inputs.pop(name).requires_grad_() for name in ("W", "V"))
    encoder, received = small_encoder(W), []

    def encode(x: Tensor) -> Tensor:
        received.append(x.detach().clone())
        return encoder(x)

    outputs, gradients = loss_run(partial(fn, encode=encode, decode=small_decoder(V)), inputs, [W, V])
    return outputs | {"received": plain(received), "gradients": plain(gradients)}
