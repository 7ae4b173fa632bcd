"""The linear probe: g_phi is a logistic regression on frozen features."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import measures
from sslcourse.adaptation.regression import STEPS, minima
from sslcourse.devices import budget

SCALINGS = ("as they are", "per feature", "unit length")
DECAYS = tuple(10.0**-k for k in range(-1, 9))  # strong to weak, for features whose mean square length is one


class Scaling(nn.Module):
    """Features (N,D) less their mean, and scaled in one of three ways, to a mean square length of one.

    "as they are": by one number; "per feature": each to the same variance; "unit length": each sample by itself.
    Mean and scale are those of all training inputs, which takes no label.
    """

    def __init__(self, how: str, h: Tensor):
        super().__init__()
        self.unit_length = how == "unit length"
        self.register_buffer("mean", h.mean(dim=0))
        scale = (h - self.mean).square().sum(dim=1).mean().sqrt()
        if how == "per feature":
            scale = h.std(dim=0) * h.shape[1] ** 0.5
        self.register_buffer("scale", torch.where(scale > 1e-6, scale, 1.0))  # a constant feature stays what it is

    def forward(self, h: Tensor) -> Tensor:
        h = (h - self.mean) / self.scale
        return F.normalize(h, dim=1) if self.unit_length else h


@dataclass(frozen=True)
class Fit:
    """g_phi, a scaling and a linear layer, fitted with one decay; has it converged, and what validation says of it."""

    head: nn.Sequential
    decay: float
    converged: bool
    accuracy: float
    loss: float


@dataclass(frozen=True)
class Result:
    """A linear probe on frozen features: its accuracy on the test split, and how it was chosen.

    head: g_phi, a scaling and a linear layer. doubts: reasons not to trust it, one sentence each; there should be none.
    """

    accuracy: float
    encoder: nn.Module
    head: nn.Sequential
    scaling: str
    decay: float
    doubts: tuple[str, ...]

    def score(self, x: Tensor, y: Tensor) -> float:
        """Accuracy on raw inputs x (N,C,H,W) uint8 with labels y (N,), such as a changed test split."""
        return hits(self.head(measures.embed(self.encoder, x).cpu()).argmax(dim=1), y)


def fits(scaling: Scaling, train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor]) -> list[Fit]:
    """Heads for weaker and weaker decays, until validation accuracy has lain below its best twice in a row.

    train, val: features (N,D) and labels (N,) of each.
    """
    made, (h, y), (h_val, y_val) = [], train, val
    for linear, decay, converged in minima(scaling(h), y, budget(cpu=DECAYS, gpu=DECAYS, smoke=DECAYS[4:5])):
        head = nn.Sequential(scaling, linear)
        with torch.no_grad():
            logits = head(h_val)
        accuracy, loss = hits(logits.argmax(dim=1), y_val), F.cross_entropy(logits, y_val).item()
        made.append(Fit(head, decay, converged, accuracy, loss))
        if all(fit.accuracy < best(made).accuracy for fit in made[-2:]):
            break
    return made


def preference(fit: Fit) -> tuple[float, float]:
    """What fits are compared by: accuracy on validation data and, where it is equal, the loss there."""
    return fit.accuracy, -fit.loss


def best(made: list[Fit]) -> Fit:
    """The fit that validation prefers."""
    return max(made, key=preference)


def hits(guess: Tensor, y: Tensor) -> float:
    """The share of guesses (N,) that are right, by labels y (N,)."""
    return (guess == y).float().mean().item()


def doubts(encoder: nn.Module, made: list[Fit]) -> Iterator[str]:
    """Why a probe should not be trusted, one sentence each: its features, its solver, its grid."""
    norms = [module for module in encoder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if any(norm.track_running_stats and not norm.num_batches_tracked for norm in norms):
        yield (
            "The encoder's batch normalisation has never seen a batch, so that it normalises nothing: "
            "call encoders.calibrate before you measure it."
        )
    if not best(made).converged:
        yield f"The probe has not converged in {STEPS} steps at decay {best(made).decay:g}."
    if len(made) > 1 and best(made).decay in (DECAYS[0], DECAYS[-1]):
        yield f"The probe's decay, {best(made).decay:g}, lies at an end of those tried; a better one may lie beyond."
