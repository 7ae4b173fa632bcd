"""Lesson 3.1's checks."""

import torch
from torch import Tensor

from sslcourse.checks import NOTHING, Check, by_name, distance, tensor_fault
from sslcourse.checks.apply.rotation import head_run, transfer_networks, transfer_run
from sslcourse.pretext import rotate_batch, rotation_head, transfer


def rotate_cases(rng: torch.Generator) -> list[dict]:
    """Noise, which no turn leaves as it is; B, C and H all different, and B no multiple of 4."""
    return [{"x": torch.rand(b, c, h, h, generator=rng)} for b, c, h in ((5, 1, 4), (3, 2, 6), (7, 3, 5))]


def rotate_verdict(inputs: dict, outputs: dict) -> str | None:
    x, result = inputs["x"], outputs["result"]
    if result is None:
        return NOTHING
    if not isinstance(result, tuple | list) or len(result) != 2 or not all(isinstance(t, Tensor) for t in result):
        return f"it returned a {type(result).__name__}; it should be two tensors, inputs and z"
    if outputs["changed"]:
        return "it changed its input x; work on a copy instead"
    made, z = result
    return rotate_form(x, made, z) or turns_fault(x, made, z)


def rotate_form(x: Tensor, made: Tensor, z: Tensor) -> str | None:
    """What is wrong with shapes and types of the turned pictures and the pseudo-labels."""
    n, shape = 4 * len(x), (4 * len(x), *x.shape[1:])
    if made.ndim == 1 and z.ndim > 1:
        return "the two are swapped: return the pictures first, then z"
    if tuple(made.shape) == tuple(x.shape):
        return f"it returned {len(x)} pictures for {len(x)}; each should be there in all four turns, so {n}"
    if tuple(made.shape) == (4, *x.shape):
        return f"the pictures have shape {tuple(made.shape)}; the encoder takes one batch, {shape} (torch.cat)"
    if tuple(made.shape) != shape:
        return f"the pictures have shape {tuple(made.shape)}; it should be {shape}: all of them in each of four turns"
    if z.dtype != torch.int64:
        return f"z holds {z.dtype}; it should hold classes for F.cross_entropy, whole numbers (int64)"
    if tuple(z.shape) != (n,):
        return f"z has shape {tuple(z.shape)}; it should be ({n},): one number for each turned picture"
    if z.max() > 4:
        return f"z goes up to {int(z.max())}, as if it were degrees; it should count quarter turns, 0 to 3"
    if z.min() < 0 or z.max() > 3:
        return f"z runs from {int(z.min())} to {int(z.max())}; it should count quarter turns, from 0 to 3"
    return None


def turns_fault(x: Tensor, made: Tensor, z: Tensor) -> str | None:
    """Find, for each picture made, the original and the turn that give just it, and compare with z."""
    turned = [torch.rot90(side, turns, dims=(2, 3)) for side in (x, x.flip(3)) for turns in range(4)]
    gaps = torch.cdist(made.double().flatten(1), torch.cat(turned).double().flatten(1))
    gap, place = gaps.min(dim=1)
    if not gap.max() <= 1e-5:  # nan, too
        return f"picture {int(gap.argmax())} is none of the originals turned by quarter turns: are its pixels changed?"
    kind, original = place // len(x), place % len(x)
    if (kind > 3).any():
        i = int((kind > 3).nonzero()[0])
        return f"picture {i} is mirrored, not turned; a transpose or a single flip mirrors, torch.rot90 turns"
    if torch.equal(kind, z):
        missing = len(x) * 4 - len(torch.unique(4 * original + kind))
        return f"{missing} pairs of a picture and a turn are missing, and others are there twice" if missing else None
    if torch.equal((4 - kind) % 4, z):
        return (
            "you turn clockwise; z counts quarter turns counter-clockwise, as torch.rot90(x, turns, dims=(2, 3)) does"
        )
    i = int((kind != z).nonzero()[0])
    order = (
        "; is z in another order than the pictures?" if torch.equal(kind.bincount(minlength=4), z.bincount()) else ""
    )
    return f"picture {i} is turned by {90 * int(kind[i])} degrees, but z[{i}] is {int(z[i])}{order}"


def head_cases(rng: torch.Generator) -> list[dict]:
    """Features of turned pictures, well apart, for encoders of several sizes; no 4 among these."""
    made = []
    for dim, n in ((6, 40), (11, 64)):
        centers, _ = torch.linalg.qr(torch.randn(dim, 4, generator=rng))
        z = torch.arange(4).repeat(n // 4)[torch.randperm(n, generator=rng)]
        made.append({"dim": dim, "x": 3 * centers.T[z] + 0.3 * torch.randn(n, dim, generator=rng), "z": z})
    return made


def head_verdict(inputs: dict, outputs: dict) -> str | None:
    n = len(inputs["x"])
    if "built" in outputs:
        if outputs["class"]:
            return f"it returned the class {outputs['built']}; build one: {outputs['built']}(...)"
        if outputs["built"] == "NoneType":
            return NOTHING
        return f"it returned a {outputs['built']}; it should be an nn.Module, which pretrain can train"
    if outputs["shape"] == [n, 1]:
        return (
            "it gives one number a picture: turns are classes without an order (270 degrees is next to 0), so give four"
        )
    if outputs["shape"] != [n, 4]:
        return f"for features of shape ({n}, {inputs['dim']}) it gives {outputs['shape']}; it should be [{n}, 4]"
    if not outputs["learned"]:
        return (
            "it has nothing to learn: no parameter that asks for gradients. Tensors count as parameters inside an "
            "nn.Parameter or a layer that is an attribute of the module"
        )
    if outputs["shared"]:
        return "two calls gave heads with the same parameters; build a new head in each call"
    return logits_fault(inputs, outputs)


def logits_fault(inputs: dict, outputs: dict) -> str | None:
    """What is wrong with what a trained head answers (N,4), with its answers to features a hundred times as long."""
    trained, wide, gradient = outputs["trained"], outputs["wide"], outputs["gradient"]
    if trained.min() >= 0 and distance(trained.sum(dim=1), torch.ones(len(trained))) < 1e-4:
        return "these are probabilities: F.cross_entropy takes the softmax itself, so return the logits"
    if wide.abs().max() <= 1 + 1e-4:
        return "its answers are squashed into -1 to 1 (sigmoid, tanh?); logits may be of any size"
    if wide.min() >= 0:
        return "its answers are never negative; a ReLU at the end would cut the logits off"
    if gradient is None or gradient.abs().max() == 0:
        return "no gradient reaches the features, so the encoder would learn nothing: is there a detach() or no_grad()?"
    hit = (trained.argmax(dim=1) == inputs["z"]).float().mean().item()
    if hit < 0.95:
        return f"trained on four groups of features that lie well apart, it tells only {hit:.0%} of them"
    return None


def transfer_cases(rng: torch.Generator) -> list[dict]:
    """Pictures, and seeds of three small networks; at first with as many features as turns, so that k fits before g."""
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
        batch = h(x.double())
        h, k, g = (network.double() for network in transfer_networks(inputs))
        right = transfer(h, k, g, x.double())
        frozen = h(x.double())
        mistakes = {
            "this is what the pretext head k says; it was thrown away, g takes its place": k(frozen),
            "these are the features; g must still make predictions of them": frozen,
            "these are probabilities; return what g gives": right.softmax(dim=1),
            "h was not in evaluation mode: its batch normalisation used this batch's mean, so that each sample's "
            "features depend on the others": g(batch),
        }
        if inputs["dim"] == 4:
            mistakes["the pretext head k stands between h and g; g takes h's features"] = g(k(frozen))
            mistakes["k stands between h and g, and h was not in evaluation mode"] = g(k(batch))
    result, tolerance = outputs["result"], 1e-4  # float32, numbers of a few units
    for cause, value in mistakes.items():
        if isinstance(result, Tensor) and result.shape == value.shape and distance(result, value) < tolerance:
            return cause
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if distance(result, right) > tolerance:
        return f"it is off by up to {distance(result, right):.3g} from g on the features of h in evaluation mode"
    return frozen_fault(outputs)


def frozen_fault(outputs: dict) -> str | None:
    """Whether g learns, and h does not."""
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
    Check(rotation_head, head_cases, head_verdict, head_run),
    Check(transfer, transfer_cases, transfer_verdict, transfer_run),
)
