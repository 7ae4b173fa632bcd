"""The linear probe: g_phi is a logistic regression on frozen features."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import measures
from sslcourse.adaptation.labels import few_labels, min_labels
from sslcourse.data import Data
from sslcourse.devices import budget

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # scikit-learn's C, the inverse regularisation; chosen on the validation split
LONG, COMPONENTS = 512, 128  # features longer than LONG, such as raw pixels, are reduced to COMPONENTS by PCA


@dataclass(frozen=True)
class Result:
    """A linear probe on frozen features: its accuracy on the test split, and what scores other inputs."""

    accuracy: float
    encoder: nn.Module
    classifier: Any

    def score(self, x: Tensor, y: Tensor) -> float:
        """Accuracy on raw inputs x (N,C,H,W) uint8 with labels y (N,), such as a changed test split."""
        return float(self.classifier.score(measures.embed(self.encoder, x).cpu().numpy(), y.numpy()))

    def head(self) -> nn.Linear:
        """The probe, of three classes or more, as a layer g_phi, whose weights include the preprocessing."""
        points = np.eye(self.classifier.n_features_in_ + 1, self.classifier.n_features_in_, k=-1)  # 0, unit vectors
        bias, *scores = torch.from_numpy(self.classifier.decision_function(points)).float()
        head = nn.Linear(len(scores), len(bias))
        with torch.no_grad():
            head.weight.copy_(torch.stack(scores, dim=1) - bias[:, None])
            head.bias.copy_(bias)
        return head


def linear_probe(encoder: nn.Module, data: Data, labels_per_class: int | None = None, seed: int = 0) -> Result:
    """Multinomial logistic regression on the encoder's frozen features; labels_per_class None uses all labels.

    Its regularisation is chosen on the validation split with no more labels a class than it was trained on (Oliver et
    al., 2018): whoever has one label a class for training does not have a thousand for validation.
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

    reduction = PCA(min(COMPONENTS, len(x)), random_state=0) if x.shape[1] > LONG else None
    preprocessing = make_pipeline(StandardScaler(), reduction).fit(x)
    x = preprocessing.transform(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # pixels would need minutes, to change the third digit
        steps, strengths = budget((100, STRENGTHS), (100, STRENGTHS), smoke=(5, STRENGTHS[-1:]))
        fits = [LogisticRegression(C=c, max_iter=steps, tol=1e-2).fit(x, y) for c in strengths]
    return [make_pipeline(preprocessing, fit) for fit in fits]


def probe_step(W: Tensor, b: Tensor, h: Tensor, y: Tensor, lr: float, decay: float) -> tuple[Tensor, Tensor]:
    """One step of gradient descent of a linear probe on frozen features: new W (C,D) and b (C,).

    h (N,D) features, y (N,) int64 labels. The loss is the mean cross-entropy of h W^T + b plus decay/2 times the sum
    of squares of W, with no penalty on b. Its gradient in the logits is (softmax - one-hot) / N.
    """
    error = ((h @ W.T + b).softmax(dim=1) - F.one_hot(y, len(W))) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)


def train_probe(
    h: Tensor, y: Tensor, classes: int, decay: float, steps: int = 300, step: Callable = probe_step
) -> tuple[Tensor, Tensor]:
    """W (C,D) and b (C,) of a linear probe after `steps` steps from zero, on features h (N,D) with labels y (N,).

    The learning rate is the largest that cannot overshoot: one over the loss's greatest curvature, at most half the
    largest eigenvalue of the mean of (h, 1)'s outer products (Boehning, 1992), plus decay.
    """
    h_1 = F.pad(h, (0, 1), value=1.0)
    lr = 1 / (0.5 * torch.linalg.matrix_norm(h_1, 2).item() ** 2 / len(h) + decay)
    W, b = h.new_zeros(classes, h.shape[1]), h.new_zeros(classes)
    for _ in range(steps):
        W, b = step(W, b, h, y, lr, decay)
    return W, b
