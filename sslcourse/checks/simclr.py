"""Lesson 4.2's checks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.checks import (
    Check,
    by_name,
    distance,
    likely_cause,
    loss_fault,
    no_gradient,
    ranges,
    shape_of,
    tensor_fault,
)
from sslcourse.checks.apply.simclr import momentum_run, xent_run
from sslcourse.contrastive import cosine_similarity, momentum_update, nt_xent


def cosine_cases(rng: torch.Generator) -> list[dict]:
    """N, M and d all different, rows of very different lengths; the last case has a row of zeros."""
    cases = []
    for n, m, d in ((4, 6, 3), (7, 2, 5), (3, 5, 8)):
        a, b = (torch.randn(rows, d, generator=rng) for rows in (n, m))
        a, b = (v * (0.2 + 4 * torch.rand(len(v), 1, generator=rng)) for v in (a, b))
        cases.append({"a": a, "b": b})
    cases[-1]["a"][1] = 0
    return cases


def cosine_verdict(inputs: dict, outputs: dict) -> str | None:
    a, b = inputs["a"], inputs["b"]
    result, right = outputs["result"], cosine_similarity(a, b)
    if shape_of(result) == right.T.shape and distance(result, right.T) < 1e-5:
        return "it is transposed: row i should belong to a's row i, column j to b's row j"
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if not result.isfinite().all():
        return "a row of zeros gives nan: you divide by its length, which is 0 (F.normalize guards against that)"
    tolerance = 1e-5  # float32, numbers of at most 1
    if distance(result, right) <= tolerance:
        return None
    dot, length_a, length_b = a @ b.T, a.norm(dim=1)[:, None].clamp(min=1e-12), b.norm(dim=1)
    mistakes = {
        "these are dot products: divide by the lengths of both rows": dot,
        "a's rows are made of length one, b's are not": dot / length_a,
        "b's rows are made of length one, a's are not": dot / length_b,
        "you divide by the squared lengths; the length is the square root of the sum of squares": (
            dot / (length_a**2 * length_b**2)
        ),
        "you normalise columns; the vectors are rows, so normalise along dim=1": (
            F.normalize(a, dim=0) @ F.normalize(b, dim=0).T
        ),
        "you divide by the sum of absolute values; a vector's length is the root of its sum of squares": (
            dot / (a.abs().sum(dim=1)[:, None].clamp(min=1e-12) * b.abs().sum(dim=1))
        ),
        "these are distances; a cosine is largest for rows that point the same way": torch.cdist(a, b),
        "these are distances of normalised rows; take their dot products": (
            torch.cdist(F.normalize(a, dim=1), F.normalize(b, dim=1))
        ),
        "you took absolute values: rows that point in opposite directions have cosine -1": right.abs(),
        "this is one minus the cosine, a distance; return the cosine itself": 1 - right,
    }
    return likely_cause(result, right, mistakes, 10 * tolerance) or (
        f"it is off by up to {distance(result, right):.3g}; {ranges(result, right)}"
    )


def xent_cases(rng: torch.Generator) -> list[dict]:
    """Partners in any order, not only i + B; in the last case exp() of a logit overflows float32."""
    cases = []
    for pairs, d, temperature in ((3, 5, 0.5), (5, 4, 0.1), (2, 3, 1.7), (6, 8, 0.01)):
        order = torch.randperm(2 * pairs, generator=rng)
        z = torch.empty_like(order)
        z[order[:pairs]], z[order[pairs:]] = order[pairs:], order[:pairs]
        v = torch.randn(2 * pairs, d, generator=rng)
        cases.append({"v": v * (0.2 + 3 * torch.rand(len(v), 1, generator=rng)), "z": z, "temperature": temperature})
    return cases


def xent_mistakes(v: Tensor, z: Tensor, temperature: float) -> dict[str, Tensor]:
    """Wrong losses by their likely cause."""
    n = len(v)
    s = cosine_similarity(v, v)
    myself = torch.eye(n, dtype=torch.bool)
    partner = F.one_hot(z, n).bool()

    def loss(similarity=s, temperature=temperature, z=z, left_out=myself, reduction="mean"):
        return F.cross_entropy((similarity / temperature).masked_fill(left_out, -torch.inf), z, reduction=reduction)

    logits = s / temperature
    positive = logits[partner]
    right, i_plus_b = loss(), torch.arange(n).roll(n // 2)
    others = logits.masked_fill(myself, -torch.inf)
    return {
        "each row's own similarity is left in the denominator: j = i must be taken out": loss(
            left_out=torch.zeros_like(myself)
        ),
        "the diagonal is set to 0, but exp(0) is 1 and still counts: fill it with -inf": loss(
            s.masked_fill(myself, 0), left_out=torch.zeros_like(myself)
        ),
        "the positive is missing from the denominator; a cross-entropy's denominator holds the right class, too": (
            others.masked_fill(partner, -torch.inf).logsumexp(dim=1) - positive
        ).mean(),
        "the positive is in the denominator twice": (
            torch.cat([others, positive[:, None]], dim=1).logsumexp(dim=1) - positive
        ).mean(),
        "the temperature is not used": loss(temperature=1.0),
        "you multiply by the temperature; divide by it": loss(temperature=1 / temperature),
        "the temperature is applied twice": loss(temperature=temperature**2),
        "the temperature is applied to the denominator only": (others.logsumexp(dim=1) - s[partner]).mean(),
        "v is not normalised: these are dot products, not cosines": loss(v @ v.T),
        "v is normalised along the wrong dimension; its rows are the vectors (dim=1)": loss(
            F.normalize(v, dim=0) @ F.normalize(v, dim=0).T
        ),
        "this is the sum over rows; take the mean": loss(reduction="sum"),
        "this is twice the mean over rows: you divide by the number of pairs, not of rows": 2 * right,
        "this is half the mean over rows": right / 2,
        "only the first half of the rows is counted; each view looks for its partner": loss(reduction="none")[
            : n // 2
        ].mean(),
        "you assume that i's partner is i + B; it is z[i]": loss(z=i_plus_b),
        "the sign is wrong: a loss is minus the log-probability": -right,
        "a softmax is taken before the cross-entropy, which takes one itself": (
            F.cross_entropy(others.softmax(dim=1), z)
        ),
        "this is the mean of the probabilities, or its logarithm; take the mean of the logarithms": (
            -others.softmax(dim=1)[partner].mean().log()
        ),
        "this is minus the mean probability; take its logarithm": -others.softmax(dim=1)[partner].mean(),
        "this is the positives' similarity alone: the other rows must be in the denominator": -positive.mean(),
    }


def xent_verdict(inputs: dict, outputs: dict) -> str | None:
    v, temperature = inputs["v"].double(), inputs["temperature"]
    right = nt_xent(v, inputs["z"], temperature)
    result = outputs["result"]
    if fault := loss_fault(outputs, len(v), "rows"):
        return fault
    if not result.isfinite():
        return (
            f"it is {result.item()} at temperature {temperature:g}: exp(1 / {temperature:g}) is too large for float32. "
            "Let F.cross_entropy or logsumexp take exponential and logarithm in one step"
        )
    tolerance = 2e-6 * (5 + 1 / temperature)  # float32: the logits are as large as 1 / temperature
    if distance(result, right) > tolerance:
        cause = likely_cause(result, right, xent_mistakes(v, inputs["z"], temperature), 5 * tolerance)
        return cause or f"it is {result.item():.4f} and should be {right.item():.4f}, at temperature {temperature:g}"
    if outputs["gradient"] is None:
        return no_gradient("v")
    return gradient_fault(v, inputs["z"], temperature, outputs["gradient"])


def gradient_fault(v: Tensor, z: Tensor, temperature: float, gradient: Tensor) -> str | None:
    """Whether the gradient with respect to v (2B,d) is that of NT-Xent."""
    v = v.clone().requires_grad_()
    (right,) = torch.autograd.grad(nt_xent(v, z, temperature), v)
    gap = distance(gradient, right)
    if gap <= 1e-4 * (1 + 1 / temperature) * right.abs().max().item() + 1e-6:
        return None
    return f"the value is right, but its gradient is off by up to {gap:.3g}: is a part of it detached?"


def momentum_cases(rng: torch.Generator) -> list[dict]:
    """Networks of several parameters, one of them a scalar; in one case the slow parameters require gradients."""
    shapes = ((3, 4), (4,), (), (2, 3, 2))
    return [
        {
            "slow": [torch.randn(shape, generator=rng) for shape in shapes],
            "fast": [torch.randn(shape, generator=rng) for shape in shapes],
            "m": m,
            "slow_asks": slow_asks,
        }
        for m, slow_asks in ((0.9, False), (0.25, True), (0.99, False))
    ]


def momentum_verdict(inputs: dict, outputs: dict) -> str | None:
    slow, fast, m = inputs["slow"], inputs["fast"], inputs["m"]
    result = outputs["slow"]

    def gap(parameters: list[Tensor], right: list[Tensor]) -> float:
        return max(distance(p, r) for p, r in zip(parameters, right, strict=True))

    def mix(share: float) -> list[Tensor]:
        return [share * s + (1 - share) * f for s, f in zip(slow, fast, strict=True)]

    tolerance = 1e-5  # float32, numbers of a few units
    if gap(outputs["fast"], fast) > 0:
        return "fast has changed; only slow moves, fast is trained by the optimiser"
    if outputs["recorded"]:
        return "a gradient was recorded through the update; put it inside torch.no_grad()"
    if gap(result, mix(m)) <= tolerance:
        return None
    if gap(result, slow) == 0:
        return (
            "slow has not changed: an assignment such as `s = ...` makes a new tensor; "
            "change s in place (mul_, add_, lerp_, copy_)"
        )
    if gap(result, mix(1 - m)) <= tolerance:
        return f"m and 1 - m are swapped: slow should keep the share m = {m:g} of itself"
    if gap(result, fast) <= tolerance:
        return f"slow has become a copy of fast; it should keep the share m = {m:g} of itself"
    wrong = [i for i, (a, b) in enumerate(zip(result, mix(m), strict=True)) if distance(a, b) > tolerance]
    if len(wrong) < len(slow):
        return f"of {len(slow)} parameters, number {', '.join(map(str, wrong))} (from 0) is not updated as it should be"
    sums = [m * s + f for s, f in zip(slow, fast, strict=True)]
    if gap(result, sums) <= tolerance:
        return "fast is added whole; its share is 1 - m"
    return f"slow is off by up to {gap(result, mix(m)):.3g} from m slow + (1 - m) fast, at m = {m:g}"


CHECKS = by_name(
    Check(cosine_similarity, cosine_cases, cosine_verdict),
    Check(nt_xent, xent_cases, xent_verdict, xent_run),
    Check(momentum_update, momentum_cases, momentum_verdict, momentum_run),
)
