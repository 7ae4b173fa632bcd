"""Lesson 3.1's checks."""

import torch
from torch import Tensor

from sslcourse.checks import NOTHING, Check, by_name, changed_fault, distance, pair_fault, shape_of, tensor_fault
from sslcourse.checks.apply.rotation import head_run, transfer_networks, transfer_run
from sslcourse.pretext import rotate_batch, rotation_head, transfer


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


def head_cases(rng: torch.Generator) -> list[dict]:
    """Features of four turns in well separated clusters; their dimension is never 4."""
    cases = []
    for dim, n in ((6, 40), (11, 64)):
        centers, _ = torch.linalg.qr(torch.randn(dim, 4, generator=rng))
        z = torch.arange(4).repeat(n // 4)[torch.randperm(n, generator=rng)]
        cases.append({"dim": dim, "x": 3 * centers.T[z] + 0.3 * torch.randn(n, dim, generator=rng), "z": z})
    return cases


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
    if not outputs["trainable"]:
        return (
            "it has nothing to learn: no parameter that asks for gradients. Tensors count as parameters inside an "
            "nn.Parameter or a layer that is an attribute of the module"
        )
    if outputs["shared"]:
        return "two calls gave heads with the same parameters; build a new head in each call"
    return logits_fault(inputs, outputs)


def logits_fault(inputs: dict, outputs: dict) -> str | None:
    """What is wrong with a trained head's logits (N,4), those for features x and those for 100 x."""
    trained, scaled, gradient = outputs["trained"], outputs["scaled"], outputs["gradient"]
    if trained.min() >= 0 and distance(trained.sum(dim=1), torch.ones(len(trained))) < 1e-4:
        return "these are probabilities: F.cross_entropy takes the softmax itself, so return the logits"
    if scaled.abs().max() <= 1 + 1e-4:
        return "its answers are squashed into -1 to 1 (sigmoid, tanh?); logits may be of any size"
    if scaled.min() >= 0:
        return "its answers are never negative; a ReLU at the end would cut the logits off"
    if gradient is None or gradient.abs().max() == 0:
        return "no gradient reaches the features, so the encoder would learn nothing: is there a detach() or no_grad()?"
    accuracy = (trained.argmax(dim=1) == inputs["z"]).float().mean().item()
    if accuracy < 0.95:
        return f"trained on four groups of features that lie well apart, it tells only {accuracy:.0%} of them"
    return None


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
    Check(rotation_head, head_cases, head_verdict, head_run),
    Check(transfer, transfer_cases, transfer_verdict, transfer_run),
)
