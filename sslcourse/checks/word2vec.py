"""Lesson 2.3's checks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.checks import (
    Check,
    by_name,
    changed_fault,
    distance,
    likely_cause,
    loss_fault,
    no_gradient,
    pair_fault,
    tensor_fault,
)
from sslcourse.checks.apply.word2vec import sampling_run
from sslcourse.origins.word2vec import negative_sampling_loss, noise_distribution, training_pairs


def pairs_cases(rng: torch.Generator) -> list[dict]:
    """Verses of 1 to 10 words, numbered with gaps; some windows reach beyond their verse."""
    cases = []
    for verses, longest in ((6, 4), (5, 6)):
        lengths = torch.randint(4, 11, (verses,), generator=rng)
        lengths[1] = 1
        numbers = 2 + torch.randint(1, 4, (verses,), generator=rng).cumsum(0)
        verse = numbers.repeat_interleave(lengths)
        cases.append({"verse": verse, "reach": torch.randint(1, longest + 1, verse.shape, generator=rng)})
    return cases


def pair_counts(i: Tensor, j: Tensor, n: int) -> Tensor:
    """The counts (n,n) int64 of pairs of positions i and j, (P,) each."""
    return (i.long() * n + j.long()).bincount(minlength=n * n).view(n, n)


def pairs_mistakes(verse: Tensor, reach: Tensor) -> dict[str, Tensor]:
    """Wrong counts (n,n) of pairs of positions by their likely cause."""
    n = len(verse)
    i, j = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    same_verse, distinct, offset = verse[:, None] == verse, i != j, (i - j).abs()
    right = same_verse & distinct & (offset <= reach[:, None])
    return {
        "a word is paired with itself: j = i is no context": same_verse & (offset <= reach[:, None]),
        "pairs cross the border between verses: both words must have the same `verse`": (
            distinct & (offset <= reach[:, None])
        ),
        "i and j are swapped, or it is j's reach that decides: j lies within the reach of i": right.T,
        "only contexts to the right are there; the window extends to both sides": right & (j > i),
        "only contexts to the left are there; the window extends to both sides": right & (j < i),
        "all windows are as wide as the widest: each position has its own reach": (
            same_verse & distinct & (offset <= reach.max())
        ),
        "the window is one too narrow: a distance of just reach[i] belongs to it": (
            same_verse & distinct & (offset < reach[:, None])
        ),
        "the window is one too wide: the largest distance is reach[i]": same_verse
        & distinct
        & (offset <= reach[:, None] + 1),
        "the window counts for both words: it is enough that j lies within the reach of i": right & right.T,
        "a pair is there where either word reaches the other: it is the reach of i that counts": right | right.T,
        "only words at just the distance reach[i] are there, not those nearer by": right & (offset == reach[:, None]),
        "all words of a verse are paired, whatever the reach": same_verse & distinct,
        "each pair is there twice": 2 * right.long(),
    }


def pairs_verdict(inputs: dict, outputs: dict) -> str | None:
    verse, reach = inputs["verse"], inputs["reach"]
    result, n = outputs["result"], len(verse)
    if fault := pair_fault(result, "`return i, j`"):
        return fault
    i, j = result
    if i.ndim != 1 or i.shape != j.shape:
        return f"i and j have shapes {tuple(i.shape)} and {tuple(j.shape)}; both should be (P,), a number for each pair"
    if any(part.is_floating_point() or part.is_complex() or part.dtype == torch.bool for part in (i, j)):
        return f"i is {i.dtype} and j is {j.dtype}; positions are whole numbers (int64)"
    if fault := changed_fault(outputs):
        return fault
    if len(i) and (min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= n):
        return (
            f"positions run from {min(i.min(), j.min())} to {max(i.max(), j.max())}; they should lie in 0 to {n - 1}: "
            "return positions in the stream, not differences"
        )
    counts, right = pair_counts(i, j, n), pair_counts(*training_pairs(verse, reach), n)
    if torch.equal(counts, right):
        return None
    mistakes = {cause: wrong.long() for cause, wrong in pairs_mistakes(verse, reach).items()}
    missing, extra = (right - counts).clamp(min=0).sum().item(), (counts - right).clamp(min=0).sum().item()
    return likely_cause(counts, right, mistakes, 0) or (
        f"of {right.sum().item()} pairs, {missing} are missing, and {extra} are there that should not be"
    )


def loss_cases(rng: torch.Generator) -> list[dict]:
    """P, d, M and k all different; in the last case vectors are so long that the sigmoid rounds to 0."""
    cases = []
    for p, d, m, k, scale in ((5, 4, 3, 5, 0.8), (7, 3, 8, 2, 0.7), (4, 6, 5, 7, 0.7), (6, 5, 4, 3, 15.0)):
        h, u, noise = (scale * torch.randn(rows, d, generator=rng) for rows in (p, p, m))
        cases.append({"h": h, "u": u, "noise": noise, "k": k})
    return cases


def loss_mistakes(h: Tensor, u: Tensor, noise: Tensor, k: float) -> dict[str, Tensor]:
    """Wrong losses by their likely cause."""
    s, n = (h * u).sum(dim=1), h @ noise.T
    positive, negative = -F.logsigmoid(s), -F.logsigmoid(-n)
    right = positive.mean() + k * negative.mean()
    unit_h, unit_u, unit_noise = (F.normalize(x, dim=1) for x in (h, u, noise))
    return {
        "k is not used: the mean over noise words weighs k": positive.mean() + negative.mean(),
        "you sum over the noise words and leave k out; take their mean, times k": (
            positive.mean() + negative.sum(dim=1).mean()
        ),
        "you sum over the noise words; take their mean, times k": positive.mean() + k * negative.sum(dim=1).mean(),
        "you divide by k; the mean over noise words weighs k": positive.mean() + negative.mean() / k,
        "the positive weighs k, too": k * (positive.mean() + negative.mean()),
        "the sign within the noise term is wrong: noise words should get a LOW score, so sigma(-h.n)": (
            positive.mean() - k * F.logsigmoid(n).mean()
        ),
        "the sign within the positive term is wrong: true pairs should get a HIGH score, so sigma(h.u)": (
            -F.logsigmoid(-s).mean() + k * negative.mean()
        ),
        "both signs are wrong: true pairs should get high scores, noise low ones": (
            -F.logsigmoid(-s).mean() - k * F.logsigmoid(n).mean()
        ),
        "the sign of the whole is wrong: a loss is minus the log-probability": -right,
        "this is the sum over pairs; take the mean": right * len(h),
        "the noise words are compared with u; they are compared with the input vectors h": (
            positive.mean() - k * F.logsigmoid(-(u @ noise.T)).mean()
        ),
        "these are sigmoids without a logarithm": -(s.sigmoid().mean() + k * (-n).sigmoid().mean()),
        "these are cosines; the scores are plain dot products": (
            -F.logsigmoid((unit_h * unit_u).sum(1)).mean() - k * F.logsigmoid(-(unit_h @ unit_noise.T)).mean()
        ),
        "the positive term alone is there": positive.mean(),
        "the noise term alone is there": k * negative.mean(),
        "each h is scored with every u; its partner is the u of the same row": (
            -F.logsigmoid(h @ u.T).mean() + k * negative.mean()
        ),
        "you take the logarithm of a mean; take the mean of the logarithms": (
            -s.sigmoid().mean().log() - k * (-n).sigmoid().mean().log()
        ),
    }


def loss_verdict(inputs: dict, outputs: dict) -> str | None:
    h, u, noise = (inputs[name].double() for name in ("h", "u", "noise"))
    k, result = inputs["k"], outputs["result"]
    right = negative_sampling_loss(h, u, noise, k)
    if fault := loss_fault(outputs, len(h), "pairs"):
        return fault
    if not result.isfinite():
        return (
            f"it is {result.item()} where a score is {(h @ noise.T).abs().max():.0f}: sigma rounds to 0, and its "
            "logarithm is infinite. F.logsigmoid takes both in one stable step"
        )
    tolerance = 2e-5 * (1 + right.item())  # float32, and sums of a few dozen terms
    if distance(result, right) > tolerance:
        cause = likely_cause(result, right, loss_mistakes(h, u, noise, k), 5 * tolerance)
        return cause or f"it is {result.item():.4f} and should be {right.item():.4f}, with k = {k:g}"
    return gradient_fault([h, u, noise], k, outputs["gradients"])


def gradient_fault(parts: list[Tensor], k: float, gradients: list[Tensor | None]) -> str | None:
    """Whether the gradients with respect to h, u and noise are those of the loss."""
    parts = [part.clone().requires_grad_() for part in parts]
    right = torch.autograd.grad(negative_sampling_loss(*parts, k), parts)
    for name, gradient, right_gradient in zip(("h", "u", "noise"), gradients, right, strict=True):
        if gradient is None:
            return no_gradient(name)
        if distance(gradient, right_gradient) > 1e-4 * (1 + right_gradient.abs().max().item()):
            return f"the value is right, but the gradient of {name} is off: is a part of it detached or clamped?"
    return None


def noise_cases(rng: torch.Generator) -> list[dict]:
    """Counts as in a corpus, a few of them large, in random order; one word never occurs."""
    cases = []
    for n_words, power in ((6, 0.75), (9, 0.5), (12, 0.75), (7, 1.0)):
        counts = (500 / torch.arange(1, n_words + 1)).long() + torch.randint(0, 9, (n_words,), generator=rng)
        counts = counts[torch.randperm(n_words, generator=rng)]
        counts[torch.randint(n_words, (1,), generator=rng)] = 0
        cases.append({"counts": counts, "power": power})
    return cases


def noise_verdict(inputs: dict, outputs: dict) -> str | None:
    counts, power = inputs["counts"], inputs["power"]
    if fault := tensor_fault(outputs, tuple(counts.shape)):
        return fault
    result, right = outputs["result"], noise_distribution(counts, power)
    if not result.isfinite().all():
        return "it holds nan or infinity: is there a division by 0, or a logarithm of 0, at a word that never occurs?"
    tolerance = 1e-5  # float32, numbers of at most 1
    if distance(result, right) <= tolerance:
        return None
    c = counts.double()
    p, occurs = c / c.sum(), (counts > 0).double()
    inverse = torch.where(counts > 0, 1 / c.clamp(min=1) ** power, 0)
    mistakes = {
        "the power is not used: this is each word's share of the corpus": p,
        "the power is always 3/4; take the one that is given": c**0.75 / (c**0.75).sum(),
        "these are counts to a power, not probabilities: divide by their sum": c**power,
        "the power is taken after dividing, and then they no longer sum to 1: divide by the sum last": p**power,
        "you divide by the sum of the plain counts; divide by the sum of the counts to the power": c**power / c.sum(),
        "you take 1 / power as the power": c ** (1 / power) / (c ** (1 / power)).sum(),
        "you multiply by the power; a power is written **": power * c,
        "all words are equally likely": torch.full_like(p, 1 / len(p)),
        "all words that occur are equally likely": occurs / occurs.sum(),
        "this is a softmax of the counts; they need no exponential": c.softmax(dim=0),
        "rare words are more likely than frequent ones: is there a minus in the power?": inverse / inverse.sum(),
        "these are sums up to each word (cumsum); return each word's own probability": right.double().cumsum(0),
        "words that never occur are likely, too: did you add 1 to the counts?": (
            (c + 1) ** power / ((c + 1) ** power).sum()
        ),
        "these are logarithms of probabilities": right.double().clamp(min=1e-30).log(),
    }
    return likely_cause(result, right, mistakes, tolerance) or (
        f"it is off by up to {distance(result, right):.3g}; it sums to {result.sum():.4g} and should sum to 1"
    )


CHECKS = by_name(
    Check(training_pairs, pairs_cases, pairs_verdict),
    Check(negative_sampling_loss, loss_cases, loss_verdict, sampling_run),
    Check(noise_distribution, noise_cases, noise_verdict),
)
