"""Adaptation: a new output module g_phi on a labeled target, always beside raw input, random init and supervised."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import augment, encoders, measures
from sslcourse.data import Data, Split
from sslcourse.devices import autocast, best_device
from sslcourse.errors import CourseError

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # inverse regularisation, scikit-learn's C, from which the validation split chooses
LONG, COMPONENTS = 512, 128  # features longer than LONG, such as raw pixels, become so many principal components


@dataclass(frozen=True)
class Result:
    """A linear probe on frozen features: its accuracy on the test split, and what it takes to score other inputs."""

    accuracy: float
    encoder: nn.Module
    classifier: Any

    def score(self, x: Tensor, y: Tensor) -> float:
        """Accuracy on raw inputs x (N,C,H,W) uint8 with labels y (N,), such as a changed test split."""
        return float(self.classifier.score(measures.embed(self.encoder, x).cpu().numpy(), y.numpy()))


def few_labels(split: Split, labels_per_class: int | None, seed: int) -> Split:
    """labels_per_class samples of each class, drawn by seed; None takes all.

    Raises CourseError where a class has fewer.
    """
    if labels_per_class is None:
        return split
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    of_class = [order[split.y[order] == label] for label in split.y.unique()]
    fewest = min(map(len, of_class))
    if not 1 <= labels_per_class <= fewest:
        raise CourseError(f"labels_per_class is {labels_per_class}; it must lie in 1 to {fewest}, or be None: all.")
    rows = torch.cat([found[:labels_per_class] for found in of_class])
    return Split(split.x[rows], split.y[rows])


def linear_probe(encoder: nn.Module, data: Data, labels_per_class: int | None = None, seed: int = 0) -> Result:
    """Multinomial logistic regression on the encoder's frozen features; None uses all labels.

    Its regularisation is chosen on the validation split with no more labels a class than it was trained on (Oliver et
    al., 2018): whoever has one label a class to train on does not have a thousand to choose with.
    """
    train = few_labels(data.train, labels_per_class, seed)
    val = few_labels(data.val, min_labels(labels_per_class, data.val), seed)
    x, x_val, x_test = (measures.embed(encoder, split.x).cpu().numpy() for split in (train, val, data.test))
    best = max(probes(x, train.y.numpy()), key=lambda probe: probe.score(x_val, val.y.numpy()))
    return Result(float(best.score(x_test, data.test.y.numpy())), encoder, best)


def probes(x: np.ndarray, y: np.ndarray) -> list:
    """scikit-learn's logistic regressions on standardised features x (N,D), one for each of STRENGTHS."""
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    shorter = PCA(min(COMPONENTS, len(x)), random_state=0) if x.shape[1] > LONG else None
    scaled = make_pipeline(StandardScaler(), shorter).fit(x)
    x = scaled.transform(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # pixels would take minutes for nothing in the third digit
        fits = [LogisticRegression(C=c, max_iter=100, tol=1e-2).fit(x, y) for c in STRENGTHS]
    return [make_pipeline(scaled, fit) for fit in fits]


def min_labels(labels_per_class: int | None, split: Split) -> int | None:
    """labels_per_class, or None for all where the split has no more than that."""
    fewest = int(split.y.bincount().min())
    return None if labels_per_class is None or labels_per_class >= fewest else labels_per_class


def supervised(
    data: Data, labels_per_class: int | None = None, seed: int = 0, views: Callable | None = None, samples: int = 60_000
) -> float:
    """Accuracy on the test split of a ConvNet trained from scratch, end to end, on the labeled training samples.

    views: the augmentation, by default crop, resize and flip. samples: how many it sees in all, repeats counted.
    Nothing is selected: the last step's weights are tested.
    """
    views = views or augment.simclr(color=0)
    train = few_labels(data.train, labels_per_class, seed)
    torch.manual_seed(seed)
    device = best_device()
    encoder = encoders.ConvNet(in_channels=data.train.x.shape[1])
    model = nn.Sequential(encoder, nn.Linear(encoder.dim, len(data.classes)))
    fit(model.to(device), train, views, samples, torch.Generator().manual_seed(seed))
    return (measures.embed(model, data.test.x).argmax(dim=1).cpu() == data.test.y).float().mean().item()


def fit(model: nn.Module, train: Split, views: Callable, samples: int, generator: torch.Generator) -> None:
    """Train a classifier in place with cross-entropy on augmented batches of at most 256 samples."""
    device = next(model.parameters()).device
    model.to(memory_format=torch.channels_last).train()
    size = min(256, len(train))
    steps = max(100, samples // 256)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
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


def references(
    data: Data, labels_per_class: int | None = None, seed: int = 0, views: Callable | None = None
) -> dict[str, float]:
    """Test accuracy of what every pretrained encoder must stand beside, on the same labels and the same split.

    "raw input" and "random init" are linear probes, "supervised" is trained end to end. views: see `supervised`.
    """
    torch.manual_seed(seed)
    random = encoders.ConvNet(in_channels=data.train.x.shape[1]).to(best_device())
    return {
        "raw input": linear_probe(nn.Flatten(), data, labels_per_class, seed).accuracy,
        "random init": linear_probe(random, data, labels_per_class, seed).accuracy,
        "supervised": supervised(data, labels_per_class, seed, views),
    }
