"""Lesson 1.1's checks."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.checks import Check, by_name, changed_fault, distance, likely_cause, pair_fault, shape_of, tensor_fault
from sslcourse.paradigms import bits_per_sample, kmeans_step, select_pseudo_labels


def kmeans_cases(rng: torch.Generator) -> list[dict]:
    """N, K and D all different, no point between two centroids; the last case has a centroid without points."""
    cases = []
    for n, k, d in ((34, 3, 2), (40, 4, 6), (37, 5, 3)):
        centroids = 2 * torch.randn(k, d, generator=rng)
        points = 1 + 2 * torch.randn(4 * n, d, generator=rng)
        first, second = torch.cdist(points, centroids).sort(dim=1).values[:, :2].T
        clear = (second - first > 0.01).nonzero()[:, 0]
        cases.append({"x": points[clear[:n]], "centroids": centroids})
    cases[-1]["centroids"][1] = 40 + torch.rand(3, generator=rng)
    return cases


def kmeans_mistakes(x: Tensor, centroids: Tensor) -> dict[str, Tensor]:
    """Wrong centroids (K,D) by their likely cause."""
    distances = torch.cdist(x, centroids)
    right = kmeans_step(x, centroids)

    def means(nearest: Tensor, empty: Tensor = centroids) -> Tensor:
        members = F.one_hot(nearest, len(centroids)).to(x.dtype)
        counts = members.sum(dim=0)[:, None]
        return torch.where(counts > 0, members.T @ x / counts.clamp(min=1), empty)

    nearest = distances.argmin(dim=1)
    members = F.one_hot(nearest, len(centroids)).to(x.dtype)
    counts = members.sum(dim=0)[:, None]
    sums = members.T @ x
    converged = right
    for _ in range(100):
        converged = kmeans_step(x, converged)
    return {
        "the centroids have not moved: move each to the mean of its points": centroids,
        "the points go to the farthest centroid; take the smallest distance": means(distances.argmax(dim=1)),
        "these are sums of the points; divide by how many points each centroid has": torch.where(
            counts > 0, sums, centroids
        ),
        "these are sums of the points, and 0 for a centroid without any: divide by how many points each has": sums,
        "you divide by the number of all points; divide by that of the centroid's own": torch.where(
            counts > 0, sums / len(x), centroids
        ),
        "you divide by the number of all points, N; divide by that of the centroid's own": sums / len(x),
        "a centroid without points has become 0; it should stay where it is": means(nearest, 0 * centroids),
        "a centroid without points has become the mean of all points; it should stay where it is": means(
            nearest, x.mean(dim=0).expand_as(centroids)
        ),
        "every centroid is the mean of all points: take the mean over its own": x.mean(dim=0).expand_as(centroids),
        "each centroid has moved to the one point that is nearest to it; take the mean of all its points": x[
            distances.argmin(dim=0)
        ],
        "the old centroid is counted as one more point; take the mean over the points alone": (
            (sums + centroids) / (counts + 1)
        ),
        "this is two steps or more; take one": kmeans_step(x, right),
        "you went on until nothing moved; take one step": converged,
        "nearest is judged by dot products; a long centroid then attracts everything. Take distances": means(
            (x @ centroids.T).argmax(dim=1)
        ),
        "nearest is judged by the sum of absolute differences; take the Euclidean distance": means(
            torch.cdist(x, centroids, p=1).argmin(dim=1)
        ),
        "these are medians; take means": torch.stack(
            [x[nearest == k].median(dim=0).values if counts[k] else centroids[k] for k in range(len(centroids))]
        ),
    }


def kmeans_verdict(inputs: dict, outputs: dict) -> str | None:
    x, centroids = inputs["x"].double(), inputs["centroids"].double()
    right, result = kmeans_step(x, centroids), outputs["result"]
    if shape_of(result) == (len(x),):
        return "it returned one number a point, such as which centroid is nearest; return the new centroids"
    if isinstance(result, Tensor) and result.shape[1:] == right.shape[1:] and len(result) < len(right):
        return "it left out the centroid without points; keep it where it is"
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if not result.isfinite().all():
        return "a centroid without points became nan, 0 divided by 0; it should stay where it is"
    tolerance = 1e-6 * (1 + right.abs().max().item())  # float32, means of a few points
    if distance(result, right) <= 10 * tolerance:
        return None
    return likely_cause(result, right, kmeans_mistakes(x, centroids), 20 * tolerance) or (
        f"centroids are off by up to {distance(result, right):.3g}; each should be the mean of the points nearest to it"
    )


def select_cases(rng: torch.Generator) -> list[dict]:
    """Rows from unsure to sure, one exactly at the threshold, and logits whose exp() overflows float32."""
    cases = []
    for n, classes, threshold in ((12, 3, 0.8), (9, 5, 1.0), (15, 4, 0.6)):
        scale = 6 * torch.rand(n, 1, generator=rng)
        cases.append({"logits": scale * torch.randn(n, classes, generator=rng), "threshold": threshold})
    cases[0]["logits"][0] = torch.tensor([3.0, 2.9, 2.8]) + torch.rand(
        1, generator=rng
    )  # large logits, small probabilities
    cases[0]["logits"][1] = torch.tensor([-6.0, -2.0, -7.0])  # negative logits, a large probability
    cases[0]["logits"][2] = torch.tensor([1.2, 0.9, -4.0])  # both sigmoids are large
    cases[1]["logits"][3] = torch.tensor([-200.0, 0.0, -200.0, -200.0, -200.0])  # a probability of 1 in any precision
    cases[2]["logits"][[2, 5], [3, 0]] = 300.0
    return cases


def select_verdict(inputs: dict, outputs: dict) -> str | None:
    logits, threshold = inputs["logits"].double(), inputs["threshold"]
    result = outputs["result"]
    if fault := pair_fault(result, "z and confident") or changed_fault(outputs):
        return fault
    z, confident = result
    return form_fault(z, confident, len(logits)) or z_fault(z, logits) or confident_fault(confident, logits, threshold)


def form_fault(z: Tensor, confident: Tensor, n: int) -> str | None:
    """What is wrong with the types and shapes of z and confident, (n,) each."""
    if z.dtype == torch.bool and confident.dtype != torch.bool:
        return "the two are swapped: return z first, then confident"
    if z.is_floating_point():
        return f"z holds {z.dtype}, such as probabilities; it should hold the class, a whole number"
    if tuple(z.shape) != (n,):
        return f"z has shape {tuple(z.shape)}; it should be ({n},): a class for every row, trusted or not"
    if confident.dtype != torch.bool:
        return f"confident holds {confident.dtype}; it should be a mask of True and False"
    if tuple(confident.shape) != (n,):
        return f"confident has shape {tuple(confident.shape)}; it should be ({n},): one answer a row"
    return None


def z_fault(z: Tensor, logits: Tensor) -> str | None:
    """Whether z (N,) is each row's most probable class."""
    right = logits.argmax(dim=1)
    wrong = (z != right).nonzero()[:, 0]
    if not len(wrong):
        return None
    if torch.equal(z, logits.argmin(dim=1)):
        return "z is each row's least probable class; take the largest"
    row = int(wrong[0])
    return f"z[{row}] is {int(z[row])}; the most probable class of this row is {int(right[row])}, trusted or not"


def confident_fault(confident: Tensor, logits: Tensor, threshold: float) -> str | None:
    """Whether confident (N,) marks the rows whose largest probability is at least the threshold."""
    largest, second = logits.softmax(dim=1).sort(dim=1, descending=True).values[:, :2].T
    right = largest >= threshold
    tie = ((largest - threshold).abs() < 1e-5) & (largest < 1)  # where float32 may go either way
    wrong = (confident != right) & ~tie
    if not wrong.any():
        return None
    exps = logits.float().exp()
    mistakes = {
        "it marks the rows that are NOT sure enough; turn the comparison round": ~right,
        "a probability equal to the threshold counts: at least means >=": largest > threshold,
        "logits are compared with the threshold; make them probabilities first": logits.max(dim=1).values >= threshold,
        "the softmax runs over rows; probabilities of one row's classes add up to one (dim=1)": (
            logits.softmax(dim=0).max(dim=1).values >= threshold
        ),
        "each logit went through a sigmoid; the classes exclude each other, so take a softmax": (
            logits.sigmoid().max(dim=1).values >= threshold
        ),
        "the lead over the second class is compared with the threshold; take the largest probability itself": (
            largest - second >= threshold
        ),
        "all rows are trusted": torch.ones_like(right),
        "exp() of a large logit overflows to inf, and inf / inf is nan: softmax(dim=1) guards against that": (
            (exps / exps.sum(dim=1, keepdim=True)).max(dim=1).values >= threshold
        ),
    }
    for cause, value in mistakes.items():
        if torch.equal(confident[~tie], value[~tie]):
            return cause
    row = int(wrong.nonzero()[0, 0])
    return (
        f"confident[{row}] is {bool(confident[row])}, but the row's largest probability is {largest[row]:.4f} "
        f"and the threshold is {threshold:g}"
    )


def bits_cases(rng: torch.Generator) -> list[dict]:
    """One column of equally frequent values, unequal ones with values that never occur, and dependent columns."""
    fair = torch.arange(4).repeat(6)[torch.randperm(24, generator=rng)][:, None]
    weights = torch.tensor([0.55, 0.25, 0.0, 0.15, 0.05])
    unequal = torch.multinomial(weights.expand(3, 5), 60, replacement=True, generator=rng).T.contiguous()
    unequal[:, 1] = 6 * (unequal[:, 1] > 0)  # only two values, 0 and 6
    first = torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), 50, replacement=True, generator=rng)
    dependent = torch.stack([first, 2 - first, torch.full_like(first, 3)], dim=1)  # the last column is constant
    return [{"z": fair}, {"z": unequal}, {"z": dependent}]


def entropies(z: Tensor, correction: int = 0) -> Tensor:
    """The entropy in bits of each column of z (N,d): (d,). correction: subtracted from N in the shares."""
    counts = torch.stack([column.bincount(minlength=int(z.max()) + 1) for column in z.T]).double()
    return torch.special.entr(counts / (len(z) - correction)).sum(dim=1) / math.log(2)


def bits_mistakes(z: Tensor) -> dict[str, Tensor]:
    """Wrong numbers of bits by their likely cause."""
    by_column = entropies(z)
    bits, d = by_column.sum(), z.shape[1]
    pooled = entropies(z.reshape(-1, 1)).sum()
    joint = entropies(z.unique(dim=0, return_inverse=True)[1][:, None]).sum()
    distinct = torch.tensor([float(len(column.unique())) for column in z.T]).double()
    return {
        "these are nats: divide by the natural logarithm of 2, or use log2": bits * math.log(2),
        "the logarithm is to base 10; for bits take base 2": bits * math.log10(2),
        "the sign is wrong: bits are minus the mean of log2 p": -bits,
        "this is the mean over columns; add them up": bits / d,
        "this is the logarithm of how many values occur, as if all were equally frequent": distinct.log2().sum(),
        "this is the logarithm of how many values there may be, as if all were equally frequent": (
            d * torch.tensor(float(z.max() + 1)).double().log2()
        ),
        "all columns share one histogram; count each column by itself, then add up": d * pooled,
        "all columns share one histogram, counted once; count each by itself, then add up": pooled,
        "rows are counted as a whole: that is the joint entropy. Count each column by itself, then add up": joint,
        "only the first column is counted": by_column[0],
        "this is the entropy of all samples together; a sample's is one N-th of it": bits * len(z),
        "rows were taken for columns: z has a row for each sample": entropies(z.T.contiguous()).sum(),
        "the counts are divided by N - 1; shares of N samples add up to one": entropies(z, correction=1).sum(),
    }


def bits_verdict(inputs: dict, outputs: dict) -> str | None:
    z, result = inputs["z"], outputs["result"]
    if isinstance(result, int | float) and not isinstance(result, bool):
        outputs = outputs | {"result": torch.tensor(float(result))}
    elif shape_of(result) == z.shape[1:] != (1,):
        return f"it returned one number for each of the {z.shape[1]} columns; add them up"
    elif shape_of(result) == (1,):
        outputs = outputs | {"result": result[0]}
    if fault := tensor_fault(outputs, ()):
        return fault
    result, right = outputs["result"], entropies(z).sum()
    if result.isnan():
        return "it is nan: a value that never occurs gives 0 times log 0, which counts as 0 (torch.special.entr knows)"
    tolerance = 1e-5 * (1 + right.item())  # float32, a few logarithms
    if distance(result, right) <= tolerance:
        return None
    return likely_cause(result, right, bits_mistakes(z), 2 * tolerance) or (
        f"it is {result.item():.4f} and should be {right.item():.4f} bits, for {len(z)} samples of {z.shape[1]} targets"
    )


CHECKS = by_name(
    Check(kmeans_step, kmeans_cases, kmeans_verdict),
    Check(select_pseudo_labels, select_cases, select_verdict),
    Check(bits_per_sample, bits_cases, bits_verdict),
)
