"""Fine-tuning: training with labels from end to end, from pretrained weights or from none.

`fit` is a loop of its own because `training.pretrain` refuses labels. That one has what long runs need: checkpoints,
meters, several processes.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import measures
from sslcourse.data import Split
from sslcourse.devices import autocast, best_device, budget

BATCH, WARMUP = 256, 0.1  # of fine-tuning: samples a step, and the share of steps in which the rates grow


def fit(
    model: nn.Module,
    train: Split,
    views: Callable,
    samples: int,
    generator: torch.Generator,
    lr: float = 2e-3,
    batch_size: int = 256,
) -> None:
    """Train what asks for gradients, in place, with cross-entropy on augmented batches of at most batch_size samples.

    samples: how many it sees in all where they fill its batches, but at least 100 steps; with less than a batch of
    them, each of these steps sees all.
    """
    device = next(model.parameters()).device
    model.to(memory_format=torch.channels_last).train()
    size = min(batch_size, len(train))
    steps = max(budget(cpu=100, gpu=100, smoke=2), samples // batch_size)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    x, y = train.x.to(device), train.y.to(device)
    for _ in range(steps):
        rows = torch.randperm(len(train), generator=generator)[:size].to(device)
        inputs = views(measures.to_float(x[rows]), generator).contiguous(memory_format=torch.channels_last)
        with autocast(device):
            logits = model(inputs)
        optimizer.zero_grad()
        F.cross_entropy(logits.float(), y[rows]).backward()
        optimizer.step()
        schedule.step()


def head_gradients(W: Tensor, b: Tensor, h: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the mean cross-entropy of a linear head h W^T + b: in W (C,D), b (C,) and the features h (N,D).

    y (N,) int64 labels. The gradient in the logits, the error, is (softmax - one-hot) / N.
    """
    error = ((h @ W.T + b).softmax(dim=1) - F.one_hot(y, len(W))) / len(h)
    return error.T @ h, error.sum(dim=0), error @ W


def fine_tune_step(encoder: nn.Module, head: nn.Linear, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """One step of an encoder h_theta and its head g_phi, in place, on inputs x (B,...) with labels y (B,).

    The head's gradients are written out; autograd takes the gradient in the features on through the encoder, unless
    that is frozen. The optimizer has the parameters of both, and a learning rate for each.
    """
    optimizer.zero_grad()
    h = encoder(x)
    with torch.no_grad():
        head.weight.grad, head.bias.grad, push = head_gradients(head.weight, head.bias, h, y)
    if h.requires_grad:
        h.backward(push)
    optimizer.step()


class Mixed(nn.Module):
    """An encoder that computes in bf16 where the device is quicker at it, and answers in float32."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        with autocast(x.device):
            h = self.encoder(x)
        return h.float()


def fine_tune(
    encoder: nn.Module,
    head: nn.Linear,
    train: Split,
    views: Callable,
    lr: tuple[float, float],
    steps: int,
    seed: int = 0,
    averages: bool = True,
    step: Callable = fine_tune_step,
) -> nn.Sequential:
    """Copies of an encoder and a linear head g_phi, trained together on views of labeled samples, 256 at most a step.

    lr: the encoder's largest learning rate and the head's; AdamW's steps grow, then shrink to nothing. An encoder with
    the rate 0 is frozen. averages: whether batch normalisation uses each batch's mean and moves its own, or keeps those
    that it came with. Returns the classifier, encoder first.
    """
    device = best_device()
    h, g = (copy.deepcopy(part).to(device, memory_format=torch.channels_last) for part in (encoder, head))
    if lr[0] == 0:
        h.requires_grad_(False)
    h.train(averages and lr[0] > 0)
    groups = [{"params": [p for p in part.parameters() if p.requires_grad]} for part in (h, g)]
    rates, groups = zip(
        *((rate, group) for rate, group in zip(lr, groups, strict=True) if group["params"]), strict=True
    )
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, list(rates), steps, pct_start=WARMUP, anneal_strategy="linear", cycle_momentum=False
    )
    x, y, chance, mixed = train.x.to(device), train.y.to(device), torch.Generator().manual_seed(seed), Mixed(h)
    for _ in range(steps):
        rows = torch.randperm(len(train), generator=chance)[:BATCH].to(device)
        inputs = views(measures.to_float(x[rows]), chance).contiguous(memory_format=torch.channels_last)
        step(mixed, g, inputs, y[rows], optimizer)
        schedule.step()
    return nn.Sequential(h, g)


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of raw inputs x (N,...) that a classifier gets right, by their labels y (N,)."""
    return (measures.embed(model, x).argmax(dim=1).cpu() == y).float().mean().item()


def learned(model: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
