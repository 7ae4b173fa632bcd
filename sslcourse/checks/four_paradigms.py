"""Lesson 1.1's checks."""

import math

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
    shape_of,
    tensor_fault,
)
from sslcourse.checks.apply.four_paradigms import consistency_run
from sslcourse.paradigms import bits_per_sample, consistency_loss, kmeans_step


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


def consistency_cases(rng: torch.Generator) -> list[dict]:
    """Batches of which a part is trusted; a probability exactly at the threshold; nobody trusted; large logits."""
    cases = []
    for n, classes, threshold in ((12, 3, 0.8), (9, 5, 1.0), (7, 4, 0.9), (10, 6, 0.5)):
        on_weak, on_strong = torch.randn(2, n, classes, generator=rng)
        on_weak *= torch.rand(n, 1, generator=rng)  # unsure
        cases.append({"on_weak": on_weak, "on_strong": 2 * on_strong, "threshold": threshold})
    first, tie, _, large = (case["on_weak"] for case in cases)
    sure = F.one_hot(torch.randint(3, (5,), generator=rng), 3)
    first[:5] = 2.4 * sure - 4.0  # just sure, though all logits are negative
    cases[0]["on_strong"][[0, 6]] = 6.0 * sure.roll(1, dims=1)[:2]  # the strong view is sure, too, and of other classes
    first[5] = torch.tensor([1.2, 0.9, -4.0])  # unsure, though two sigmoids and two logits are large
    first[7] = torch.tensor([0.0, 0.4, 0.3])  # unsure, and not of class 0
    first[8] = torch.tensor([-1.0, -1.0, 0.96])  # nearly sure
    tie[3] = torch.tensor([-200.0, 0.0, -200.0, -200.0, -200.0])  # a probability of 1 in any precision
    large[[1, 4], [2, 0]] = 300.0  # exp() overflows float32
    cases[3]["on_strong"][1, 5] = 300.0
    return cases


def consistency_mistakes(on_weak: Tensor, on_strong: Tensor, threshold: float) -> dict[str, Tensor]:
    """Wrong losses by their likely cause."""
    p, q = on_weak.softmax(dim=1), on_strong.softmax(dim=1)
    probability, z = p.max(dim=1)
    confident, z_strong = probability >= threshold, on_strong.argmax(dim=1)
    loss = F.cross_entropy(on_strong, z, reduction="none")
    soft = F.cross_entropy(on_strong, p, reduction="none")

    def mean(loss: Tensor, trusted: Tensor = confident) -> Tensor:
        return torch.where(trusted, loss, 0).mean()

    return {
        "this is the mean over the trusted rows alone; divide by the number of all rows": (
            torch.where(confident, loss, 0).sum() / confident.sum().clamp(min=1)
        ),
        "this is the sum over rows; take the mean over all of them": torch.where(confident, loss, 0).sum(),
        "all rows are learned, trusted or not; those below the threshold count 0": loss.mean(),
        "the rows that are NOT sure enough are learned; turn the comparison round": mean(loss, ~confident),
        "a probability equal to the threshold counts: at least means >=": mean(loss, probability > threshold),
        "the weak view learns its own pseudo-labels; the strong one should": (
            mean(F.cross_entropy(on_weak, z, reduction="none"))
        ),
        "the strong view's probabilities are compared by squares; take the cross-entropy with the pseudo-label": (
            mean((q - p).square().mean(dim=1))
        ),
        "trust is judged on the strong view; it is the weak view's probability that counts": (
            mean(loss, q.max(dim=1).values >= threshold)
        ),
        "logits are compared with the threshold; make them probabilities first": (
            mean(loss, on_weak.max(dim=1).values >= threshold)
        ),
        "pseudo-labels and trust both come from the strong view; they are the weak view's": (
            mean(F.cross_entropy(on_strong, z_strong, reduction="none"), q.max(dim=1).values >= threshold)
        ),
        "the pseudo-labels come from the strong view; they are the weak view's": (
            mean(F.cross_entropy(on_strong, z_strong, reduction="none"))
        ),
        "the views are swapped: the weak one makes the pseudo-labels, the strong one learns them": (
            mean(F.cross_entropy(on_weak, z_strong, reduction="none"), q.max(dim=1).values >= threshold)
        ),
        "the target is the weak view's whole softmax; the pseudo-label is its most probable class alone": mean(soft),
        "the loss is weighted by the probability; a row counts 1 if it is trusted, and else 0": (
            (probability * confident * loss).mean()
        ),
        "a softmax is taken before the cross-entropy, which takes one itself": (
            mean(F.cross_entropy(q, z, reduction="none"))
        ),
        "rows that are not trusted have logits of 0, which cost log C each; multiply the loss by the mask": (
            F.cross_entropy(on_strong * confident[:, None], z)
        ),
        "rows that are not trusted have class 0 as their target; leave them out of the loss": (
            F.cross_entropy(on_strong, z * confident)
        ),
        "the sign is wrong: a cross-entropy is minus the log-probability": -mean(loss),
    }


def consistency_verdict(inputs: dict, outputs: dict) -> str | None:
    weak, strong, threshold = inputs["on_weak"].double(), inputs["on_strong"].double(), inputs["threshold"]
    if fault := loss_fault(outputs, len(weak), "rows"):
        return fault
    strong.requires_grad_()
    right, result = consistency_loss(weak, strong, threshold), outputs["result"]
    (to_strong,) = torch.autograd.grad(right, strong)
    right, strong = right.detach(), strong.detach()
    if not result.isfinite() and not right:
        return f"it is {result.item()} where no row is trusted; the mean over all rows is 0 there"
    if not result.isfinite():
        return (
            "it is not finite at logits of 300: exp() overflows. F.cross_entropy and softmax(dim=1) guard against that"
        )
    tolerance = 1e-5 * (1 + right.item())  # float32, a few logarithms
    if distance(result, right) > tolerance:
        cause = likely_cause(result, right, consistency_mistakes(weak, strong, threshold), 2 * tolerance)
        return cause or f"it is {result.item():.4f} and should be {right.item():.4f}, at threshold {threshold:g}"
    return consistency_gradient_fault(outputs["gradients"], to_strong)


def consistency_gradient_fault(gradients: list[Tensor | None], right: Tensor) -> str | None:
    """Whether the gradients reach on_strong alone, where they should be right (N,C)."""
    to_weak, to_strong = gradients
    if to_weak is not None and to_weak.abs().max() > 0:
        return (
            "the value is right, but a gradient flows to on_weak: the weak view teaches and must not learn. Detach it"
        )
    if to_strong is None:
        return no_gradient("on_strong") if right.abs().max() > 0 else None
    gap = distance(to_strong, right)
    if gap > 1e-5:
        return f"the value is right, but its gradient is off by up to {gap:.3g}: is a part of on_strong detached?"
    return None


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
    Check(consistency_loss, consistency_cases, consistency_verdict, consistency_run),
    Check(bits_per_sample, bits_cases, bits_verdict),
)
