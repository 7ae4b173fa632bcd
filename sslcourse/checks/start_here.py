"""Lesson 0's check, of the one exercise that shows how exercises and checks work."""

import torch
from torch import Tensor

from sslcourse.checks import Check, by_name, distance, likely_cause, tensor_fault


def standardise(x: Tensor) -> Tensor:
    """Columns of x (N,D) with mean 0 and standard deviation 1; a constant column becomes zeros."""
    spread = x.std(dim=0, correction=0)
    return (x - x.mean(dim=0)) / torch.where(spread > 0, spread, 1)


def standardise_cases(rng: torch.Generator) -> list[dict]:
    """Columns of different means and spreads, N and D different; in the last case one column is constant."""
    cases = []
    for n, d in ((5, 3), (40, 7), (6, 4)):
        scale = 0.5 + 3 * torch.rand(d, generator=rng)
        cases.append({"x": torch.randn(n, d, generator=rng) * scale + 5 * torch.randn(d, generator=rng)})
    cases[-1]["x"][:, 1] = 2.0
    return cases


def standardise_verdict(inputs: dict, outputs: dict) -> str | None:
    x = inputs["x"]
    if fault := tensor_fault(outputs, tuple(x.shape)):
        return fault
    result, right = outputs["result"], standardise(x)
    if not result.isfinite().all():
        return "a constant column gives nan: its standard deviation is 0, and you divide by it"
    tolerance = 1e-4  # float32, and means of about five times the spread
    if distance(result, right) <= tolerance:
        return None
    centred, spread = x - x.mean(dim=0), x.std(dim=0, correction=0)
    varied = spread > 0
    mistakes = {
        "you divide by the standard deviation with N - 1 (`correction=1`, torch's default); take `correction=0`": (
            centred / torch.where(varied, x.std(dim=0), 1)
        ),
        "the columns have mean 0, but are not divided by their standard deviation": centred,
        "you divide by the variance; its square root is the standard deviation": (
            centred / torch.where(varied, spread.square(), 1)
        ),
        "you divide by the standard deviation, but do not subtract the mean": x / torch.where(varied, spread, 1),
        "you standardise rows; features are columns, so average over dim=0": (
            (x - x.mean(dim=1, keepdim=True)) / x.std(dim=1, keepdim=True, correction=0)
        ),
        "you use one mean and one standard deviation for the whole matrix; each column has its own (dim=0)": (
            (x - x.mean()) / x.std(correction=0)
        ),
    }
    mean, std = result.mean(dim=0), result.std(dim=0, correction=0)
    return likely_cause(result, right, mistakes, tolerance) or (
        f"the columns have means up to {mean.abs().max():.3g} and standard deviations from {std.min():.3g} to "
        f"{std.max():.3g}; it should be 0 and 1"
    )


CHECKS = by_name(Check(standardise, standardise_cases, standardise_verdict))
