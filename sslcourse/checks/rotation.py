"""Lesson 3.1's checks."""

from collections.abc import Callable

import torch
from torch import Tensor

from sslcourse.checks import (
    Check,
    by_name,
    changed_fault,
    distance,
    likely_cause,
    pair_fault,
    ranges,
    shape_of,
    tensor_fault,
)
from sslcourse.checks.apply.rotation import linear_network, transfer_networks, transfer_run, vote_run
from sslcourse.pretext import rotate_batch, transfer, turn_by_vote


def rotate_cases(rng: torch.Generator) -> list[dict]:
    """Random pictures, which differ in all four turns; B, C and H all different, and B no multiple of 4."""
    return [{"x": torch.rand(b, c, h, h, generator=rng)} for b, c, h in ((5, 1, 4), (3, 2, 6), (7, 3, 5))]


def rotate_verdict(inputs: dict, outputs: dict) -> str | None:
    x, result = inputs["x"], outputs["result"]
    if fault := pair_fault(result, "inputs and z") or changed_fault(outputs):
        return fault
    pictures, z = result
    return rotate_form(x, pictures, z) or turns_fault(x, pictures, z)


def rotate_form(x: Tensor, pictures: Tensor, z: Tensor) -> str | None:
    """What is wrong with the shapes and types of the turned pictures and their pseudo-labels z."""
    n, shape = 4 * len(x), (4 * len(x), *x.shape[1:])
    if pictures.ndim == 1 and z.ndim > 1:
        return "the two are swapped: return the pictures first, then z"
    if tuple(pictures.shape) == tuple(x.shape):
        return f"it returned {len(x)} pictures for {len(x)}; each should be there in all four turns, so {n}"
    if tuple(pictures.shape) == (4, *x.shape):
        return f"the pictures have shape {tuple(pictures.shape)}; the encoder takes one batch, {shape} (torch.cat)"
    if tuple(pictures.shape) != shape:
        return (
            f"the pictures have shape {tuple(pictures.shape)}; it should be {shape}: all of them in each of four turns"
        )
    if z.dtype != torch.int64:
        return f"z holds {z.dtype}; it should hold classes for F.cross_entropy, whole numbers (int64)"
    if tuple(z.shape) != (n,):
        return f"z has shape {tuple(z.shape)}; it should be ({n},): one number for each turned picture"
    if z.max() > 4:
        return f"z goes up to {int(z.max())}, as if it were degrees; it should count quarter turns, 0 to 3"
    if z.min() < 0 or z.max() > 3:
        return f"z runs from {int(z.min())} to {int(z.max())}; it should count quarter turns, from 0 to 3"
    return None


def turns_fault(x: Tensor, pictures: Tensor, z: Tensor) -> str | None:
    """Whether the pictures (4B,C,H,H) are those of x (B,C,H,H) in all four turns, and z (4B,) their turns."""
    candidates = [torch.rot90(side, turns, dims=(2, 3)) for side in (x, x.flip(3)) for turns in range(4)]
    gaps = torch.cdist(pictures.double().flatten(1), torch.cat(candidates).double().flatten(1))
    gap, nearest = gaps.min(dim=1)
    if not gap.max() <= 1e-5:  # nan, too
        return f"picture {int(gap.argmax())} is none of the originals turned by quarter turns: are its pixels changed?"
    turn, original = nearest // len(x), nearest % len(x)
    if (turn > 3).any():  # the turns of the mirrored pictures are 4 to 7
        i = int((turn > 3).nonzero()[0])
        return f"picture {i} is mirrored, not turned; a transpose or a single flip mirrors, torch.rot90 turns"
    if torch.equal(turn, z):
        missing = len(x) * 4 - len(torch.unique(4 * original + turn))
        return f"{missing} pairs of a picture and a turn are missing, and others are there twice" if missing else None
    if torch.equal((4 - turn) % 4, z):
        return (
            "you turn clockwise; z counts quarter turns counter-clockwise, as torch.rot90(x, turns, dims=(2, 3)) does"
        )
    i = int((turn != z).nonzero()[0])
    order = (
        "; is z in another order than the pictures?" if torch.equal(turn.bincount(minlength=4), z.bincount()) else ""
    )
    return f"picture {i} is turned by {90 * int(turn[i])} degrees, but z[{i}] is {int(z[i])}{order}"


def vote_cases(rng: torch.Generator) -> list[dict]:
    """Pictures and a linear network, which says other things of a picture's four copies; at last, one that is sure."""
    return [
        {
            "x": torch.rand(b, c, h, h, generator=rng),
            "weights": size * torch.randn(4, c * h * h, generator=rng) / (c * h * h) ** 0.5,
        }
        for b, c, h, size in ((5, 1, 4, 4.0), (1, 2, 3, 4.0), (4, 1, 5, 4.0), (6, 1, 4, 1000.0))
    ]


def vote_verdict(inputs: dict, outputs: dict) -> str | None:
    network = linear_network(inputs["weights"].double())
    x, result, tolerance = inputs["x"].double(), outputs["result"], 1e-3  # float32, logits of up to some thousands
    right = turn_by_vote(network, x)
    if shape_of(result) == (len(x),):
        return f"it returned {len(x)} numbers; it should be the probabilities of all four turns, ({len(x)}, 4)"
    if shape_of(result) == (4, *right.shape):
        return f"it returned shape {tuple(result.shape)}, a row for each copy; take the mean over the four copies"
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if not result.isfinite().all():
        return (
            "it returned nan or infinity where the network is sure: there a probability is rounded to 0, and its "
            "logarithm is infinite. log_softmax takes both at once"
        )
    if cause := likely_cause(result.double(), right, vote_mistakes(network, x), tolerance):
        return cause
    if distance(result, right) > tolerance:
        return f"it is off by up to {distance(result, right):.3g}: {ranges(result, right)}"
    return None


def vote_mistakes(network: Callable, x: Tensor) -> dict[str, Tensor]:
    """What usual mistakes give for pictures x (B,C,H,H): {cause: probabilities (B,4)}."""
    logits = torch.stack([network(torch.rot90(x, turns, dims=(2, 3))) for turns in range(4)])
    said = logits.log_softmax(dim=2)

    def rolled(by: int, dims: int | None = 1, said: Tensor = said) -> Tensor:
        return torch.stack([copy.roll(by * turns, dims) for turns, copy in enumerate(said)])

    right, forwards, as_said = rolled(-1).mean(dim=0), rolled(1).mean(dim=0), said.mean(dim=0)
    means = {
        "this is what the network says of x alone; ask it about all four copies": said[0],
        "you roll forwards: the answer for copy k is about turn z + k, and must come back by k": forwards,
        "you average the four answers as they are; the answer for copy k is about turn z + k, not about z": as_said,
        "you roll over the pictures; the turns stand in dimension 1": rolled(-1, 0).mean(dim=0),
        "you roll without dims, which runs from one picture into the next": rolled(-1, None).mean(dim=0),
    }
    return {cause: mean.softmax(dim=1) for cause, mean in means.items()} | {
        "this is the mean of the probabilities; take that of their logarithms": rolled(-1).exp().mean(dim=0),
        "you add the four logarithms up, as if the copies were four pictures; take their mean": (4 * right).softmax(1),
        "these are mean logits; the softmax is still to come": rolled(-1, said=logits).mean(dim=0),
        "these are logarithms of probabilities": right.log_softmax(dim=1),
        "these are mean log-probabilities; the softmax is still to come": right,
        "a row does not sum to one: after the mean, normalise again": right.exp(),
    }


def transfer_cases(rng: torch.Generator) -> list[dict]:
    """Pictures, and the seed of three small networks; in the first case k's output has the shape of g's input."""
    return [
        {
            "x": torch.randn(n, 2, 3, 3, generator=rng),
            "dim": dim,
            "classes": classes,
            "seed": int(torch.randint(2**31, (), generator=rng)),
        }
        for n, dim, classes in ((9, 4, 3), (5, 7, 6), (12, 6, 5))
    ]


def transfer_verdict(inputs: dict, outputs: dict) -> str | None:
    x = inputs["x"]
    h, k, g = (network.double() for network in transfer_networks(inputs))
    with torch.no_grad():
        by_batch = h(x.double())  # changes h's running statistics
        h, k, g = (network.double() for network in transfer_networks(inputs))
        right = transfer(h, k, g, x.double())
        features = h(x.double())
        mistakes = {
            "this is what the pretext head k says; it was thrown away, g takes its place": k(features),
            "these are the features; g must still make predictions of them": features,
            "these are probabilities; return what g gives": right.softmax(dim=1),
            "h was not in evaluation mode: its batch normalisation used this batch's mean, so that each sample's "
            "features depend on the others": g(by_batch),
        }
        if inputs["dim"] == 4:
            mistakes["the pretext head k stands between h and g; g takes h's features"] = g(k(features))
            mistakes["k stands between h and g, and h was not in evaluation mode"] = g(k(by_batch))
    result, tolerance = outputs["result"], 1e-4  # float32, numbers of a few units
    for cause, value in mistakes.items():
        if shape_of(result) == value.shape and distance(result, value) < tolerance:
            return cause
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if distance(result, right) > tolerance:
        return f"it is off by up to {distance(result, right):.3g} from g on the features of h in evaluation mode"
    return frozen_fault(outputs)


def frozen_fault(outputs: dict) -> str | None:
    """Whether h is frozen, and a gradient reaches g."""
    if outputs["moved"]:
        return f"the prediction is right, but h has changed ({', '.join(outputs['moved'])}): freeze it before it runs"
    if outputs["reached"]["h"]:
        return "the prediction is right, but a gradient reaches h: theta* is frozen, so compute features without one"
    if not outputs["reached"]["g"]:
        return (
            "the prediction is right, but no gradient reaches g, which must learn: is g inside no_grad(), or detached?"
        )
    return None


CHECKS = by_name(
    Check(rotate_batch, rotate_cases, rotate_verdict),
    Check(turn_by_vote, vote_cases, vote_verdict, vote_run),
    Check(transfer, transfer_cases, transfer_verdict, transfer_run),
)
