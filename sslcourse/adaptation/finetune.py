"""Fine-tuning: training with labels from end to end, from pretrained weights or from none.

`fit` is a loop of its own because `training.pretrain` refuses labels. That one has what long runs need: checkpoints,
meters, several processes.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import augment, measures
from sslcourse.data import Split
from sslcourse.devices import autocast, best_device, budget

STEPS, BATCH = 200, 128  # of fine-tuning


def fit(
    model: nn.Module,
    train: Split,
    views: Callable,
    samples: int,
    generator: torch.Generator,
    lr: float = 2e-3,
    batch_size: int = 256,
    averages: bool = True,
) -> None:
    """Train what asks for gradients, in place, with cross-entropy on augmented batches of at most batch_size samples.

    samples: how many it sees in all where they fill its batches, but at least 100 steps; with less than a batch of
    them, each of these steps sees all. averages: whether batch normalisation uses each batch's mean and moves its own;
    else it keeps those that it came with.
    """
    device = next(model.parameters()).device
    model.to(memory_format=torch.channels_last).train(averages)
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


def fine_tune(
    encoder: nn.Module,
    head: nn.Module,
    train: Split,
    lr: float = 3e-3,
    averages: bool = True,
    seed: int = 0,
    views: Callable | None = None,
) -> nn.Sequential:
    """Copies of an encoder and a head g_phi, trained together on labeled samples: 200 steps of at most 128.

    What does not ask for gradients stays as it is. averages: see `fit`. views: the augmentation, by default crop,
    resize and flip. Returns the classifier, encoder first.
    """
    model = nn.Sequential(copy.deepcopy(encoder), copy.deepcopy(head)).to(best_device())
    generator = torch.Generator().manual_seed(seed)
    samples = BATCH * budget(cpu=STEPS, gpu=STEPS)
    fit(model, train, views or augment.simclr(color=0), samples, generator, lr, BATCH, averages)
    return model


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of raw inputs x (N,...) that a classifier gets right, by their labels y (N,)."""
    return (measures.embed(model, x).argmax(dim=1).cpu() == y).float().mean().item()


def learned(model: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
