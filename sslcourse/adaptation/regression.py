"""Logistic regression to its optimum, from strong to weak regularisation, by scikit-learn."""

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TOLERANCE, STEPS = 1e-5, 5000  # of the gradient's largest entry; of the solver: more than any lesson needs


def minima(x: Tensor, y: Tensor, decays: tuple[float, ...]) -> Iterator[tuple[nn.Linear, float, bool]]:
    """For each decay the layer of least mean cross-entropy plus decay/2 times its weights' squares; has it converged?

    x (N,D) features of a mean square length of about one, y (N,) labels from 0, each of which occurs. Each search
    starts from the minimum before it. With more features than samples it runs in the samples' own span: the penalty
    does not feel a rotation, and gives no weight to what lies outside.
    """
    from sklearn.linear_model import LogisticRegression

    mean, axes = x.mean(dim=0), None
    x = x - mean
    if x.shape[1] > len(x):
        axes, triangle = torch.linalg.qr(x.T)
        x = triangle.T
    solver = LogisticRegression(warm_start=True, tol=TOLERANCE, max_iter=STEPS)
    for decay in decays:
        fit(solver.set_params(C=1 / (decay * len(x))), x, y)
        W, b = (torch.from_numpy(part).float() for part in (solver.coef_, solver.intercept_))
        converged = slope(x, y, W, b, decay) <= 10 * TOLERANCE
        yield layer(W if axes is None else W @ axes.T, b, mean), decay, converged


def fit(solver, x: Tensor, y: Tensor) -> None:
    """Fit without scikit-learn's warning: the gradient, not the solver's word, says whether it has converged."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(x.numpy(), y.numpy())


def slope(x: Tensor, y: Tensor, W: Tensor, b: Tensor, decay: float) -> float:
    """The largest entry of the loss's gradient at W (C,D) and b (C,), or (1,D) and (1,) for two classes."""
    logits = F.linear(x, W, b)
    if len(W) == 1:
        logits = F.pad(logits, (1, 0))
    error = (logits.softmax(dim=1) - F.one_hot(y, logits.shape[1])) / len(x)
    error = error[:, -len(W) :]
    return max((error.T @ x + decay * W).abs().max().item(), error.sum(dim=0).abs().max().item())


def layer(W: Tensor, b: Tensor, mean: Tensor) -> nn.Linear:
    """A linear layer that answers W (x - mean) + b; two classes, of which scikit-learn scores one, get a row each."""
    if len(W) == 1:
        W, b = torch.cat([-W, W]) / 2, torch.cat([-b, b]) / 2
    made = nn.Linear(W.shape[1], len(W))
    with torch.no_grad():
        made.weight.copy_(W)
        made.bias.copy_(b - W @ mean)
    return made
