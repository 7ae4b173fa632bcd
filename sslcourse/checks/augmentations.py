"""Lesson 4.1's checks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse import measures
from sslcourse.augment import crop_grid
from sslcourse.checks import Check, by_name, distance, likely_cause, loss_fault, no_gradient, shape_of, tensor_fault
from sslcourse.checks.apply.augmentations import batch_run, factor_features, factor_run, turn_run
from sslcourse.contrastive import turn_loss
from sslcourse.data import sprites
from sslcourse.measures import factor_invariance


def grid_cases(rng: torch.Generator) -> list[dict]:
    """Boxes of all sizes in pictures that are not square; in the last case one box is the whole picture."""
    cases = []
    for b, height, width in ((3, 6, 10), (5, 9, 4), (2, 8, 8)):
        share, position = 0.2 + 0.7 * torch.rand(b, 2, generator=rng), torch.rand(b, 2, generator=rng)
        sides = share * torch.tensor([height, width])
        corners = position * (torch.tensor([height, width]) - sides)
        cases.append({"boxes": torch.cat([corners, sides], dim=1), "size": (height, width)})
    cases[-1]["boxes"][1] = torch.tensor([0.0, 0.0, 8.0, 8.0])
    return cases


def sample_by_sample(outputs: dict) -> str | None:
    """Whether the operations of a right answer (counted by `batch_run`) grow with the number of samples."""
    (few, of_few), (many, of_many) = outputs["operations"]
    if of_many <= of_few:
        return None
    return (
        f"right, but it works sample by sample: {of_few} operations for {few} pictures, {of_many} for {many}; the "
        "lesson needs the whole batch at once"
    )


def grid_verdict(inputs: dict, outputs: dict) -> str | None:
    boxes, (height, width) = inputs["boxes"], inputs["size"]
    right, result = crop_grid(boxes, (height, width)), outputs["result"]
    shape = tuple(right.shape)
    if shape_of(result) == right.movedim(3, 1).shape != right.shape:
        return f"it returned shape {tuple(result.shape)}; x and y belong into the last dimension: {shape}"
    if fault := tensor_fault(outputs, shape):
        return fault
    tolerance = 1e-5  # float32, numbers of about 1
    if distance(result, right) <= tolerance:
        return sample_by_sample(outputs)
    return likely_cause(result, right, grid_mistakes(boxes, height, width), 10 * tolerance) or (
        f"it is off by up to {distance(result, right):.3g}; for the box (top, left, height, width) = "
        f"{[round(side, 2) for side in boxes[0].tolist()]} in a picture of {height} x {width}, the first pixel should "
        f"be at (x, y) = ({right[0, 0, 0, 0]:.3g}, {right[0, 0, 0, 1]:.3g}), and is at "
        f"({result[0, 0, 0, 0]:.3g}, {result[0, 0, 0, 1]:.3g})"
    )


def grid_mistakes(boxes: Tensor, height: int, width: int) -> dict[str, Tensor]:
    """Wrong grids (B,H,W,2) by their likely cause."""
    top, left, box_height, box_width = boxes[:, :, None].unbind(dim=1)
    i, j = torch.arange(height), torch.arange(width)
    center_y, center_x = (i + 0.5) / height, (j + 0.5) / width
    right = crop_grid(boxes, (height, width))
    y, x = top + center_y * box_height, left + center_x * box_width
    aligned_y, aligned_x = top + i / (height - 1) * box_height, left + j / (width - 1) * box_width
    inner_y, inner_x = top + i / (height - 1) * (box_height - 1), left + j / (width - 1) * (box_width - 1)
    doubled_y, doubled_x = top + center_y * (top + box_height), left + center_x * (left + box_width)

    def grid(x: Tensor, y: Tensor, picture_width: int = width, picture_height: int = height) -> Tensor:
        x, y = 2 * x / picture_width - 1, 2 * y / picture_height - 1
        return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=3)

    first_box = crop_grid(boxes[:1], (height, width)).expand_as(right)
    whole_picture = torch.tensor([[0.0, 0.0, height, width]])
    return {
        "x and y have changed places: the last dimension is (x, y), first across, then down": right.flip(3),
        "all samples have the first one's box: each has its own": first_box,
        "this is the whole picture; where is the box?": crop_grid(whole_picture, (height, width)).expand_as(right),
        "half a pixel is missing: pixel j covers j to j + 1, its centre is j + 1/2": grid(
            left + j / width * box_width, top + i / height * box_height
        ),
        "the first and the last pixel's centres lie on the border of the box, as with align_corners=True; they should "
        "lie half a pixel within": grid(aligned_x, aligned_y),
        "the first and last pixel are half an old pixel within the box, and should be half a new one (a new pixel is "
        "height/H old ones tall)": grid(inner_x + 0.5, inner_y + 0.5),
        "these are pixels; grid_sample measures from -1 to 1": torch.stack(
            torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=3
        ),
        "these are fractions from 0 to 1; grid_sample measures from -1 to 1": (right + 1) / 2,
        "height and width have changed places: divide x by the width and y by the height": grid(x, y, height, width),
        "divide by the picture's sides W and H, not by W - 1 and H - 1: -1 and 1 are its outer edges": grid(
            x, y, width - 1, height - 1
        ),
        "the last two numbers of a box are its height and width, not its bottom and right": grid(
            left + center_x * (box_width - left), top + center_y * (box_height - top)
        ),
        "the corner is counted twice: the box ends at top + height and left + width": grid(doubled_x, doubled_y),
        "the corner (top, left) is missing: all boxes start at the picture's corner": grid(
            center_x * box_width, center_y * box_height
        ),
        "a box is (top, left, height, width): top and height go with y, left and width with x": grid(
            top + center_x * box_height, left + center_y * box_width
        ),
        "the picture is upside down: y grows downwards, -1 is the top": right * torch.tensor([1, -1]),
    }


def factor_cases(rng: torch.Generator) -> list[dict]:
    """Random factors of sprites, an order of the samples, and the seed of an encoder h."""
    cases = []
    for n, dim, name in ((12, 7, "color"), (15, 5, "x"), (10, 9, "scale")):
        factors = {"shape": torch.randint(3, (n,), generator=rng), "color": torch.rand(n, generator=rng)}
        for factor, (low, high) in sprites.RANGES.items():
            factors[factor] = low + (high - low) * torch.rand(n, generator=rng)
        seed = int(torch.randint(2**31, (), generator=rng))
        order = torch.randperm(n, generator=rng).roll(1)
        cases.append({"factors": factors, "name": name, "order": order, "dim": dim, "seed": seed})
    return cases


def factor_verdict(inputs: dict, outputs: dict) -> str | None:
    h, (factors, name, order) = factor_features(inputs), (inputs[key] for key in ("factors", "name", "order"))
    result, right = outputs["result"], factor_invariance(h, sprites.render, factors, name, order)
    if isinstance(result, float):
        result = torch.tensor(result)
        outputs = outputs | {"result": result}
    if shape_of(result) == (len(order),):
        return "it returned one number for each sample; return their mean"
    if fault := tensor_fault(outputs, ()):
        return fault
    tolerance = 1e-5  # float32, numbers of at most 1
    if distance(result, right) <= tolerance:
        return None
    return likely_cause(result, right, factor_mistakes(h, factors, name, order), 10 * tolerance) or (
        f"it is {result:.4f} and should be {right:.4f}: is it the mean of the cosines of the features of the same "
        "sample before and after, both without the mean of the features before?"
    )


def factor_mistakes(h, factors: dict[str, Tensor], name: str, order: Tensor) -> dict[str, Tensor]:
    """Wrong invariances, by their likely cause."""
    pictures = sprites.render(**factors)
    before, after = h(pictures), h(sprites.render(**factors | {name: factors[name][order]}))
    others = h(sprites.render(**{key: v if key == name else v[order] for key, v in factors.items()}))
    reverse = h(sprites.render(**factors | {name: factors[name][order.argsort()]}))
    mean = before.mean(dim=0)

    def cosine(a: Tensor, b: Tensor, dim: int = 1) -> Tensor:
        return F.cosine_similarity(a, b, dim=dim).mean()

    a, b = before - mean, after - mean
    mean_of_both, one_mean = (before + after).mean(dim=0) / 2, before.mean()
    order_as_values = h(sprites.render(**factors | {name: order}))
    return {
        "the mean feature must be taken away first: without that, all features look alike": cosine(before, after),
        "take the mean of the features before the change from both": cosine(a, after - after.mean(dim=0)),
        "only the features before were centred; take the same mean from those after": cosine(a, after),
        "only the features after were centred; take the same mean from those before": cosine(before, b),
        "the mean is that of the features before alone; yours is that of before and after together": cosine(
            before - mean_of_both, after - mean_of_both
        ),
        "the mean is that of all samples, one number for each feature (dim=0); you took one number in all": cosine(
            before - one_mean, after - one_mean
        ),
        "`order` holds the numbers of samples, not values: take factors[name][order]": cosine(
            a, order_as_values - mean
        ),
        "the mean is that of all samples, one number for each feature (dim=0); you took one for each sample": cosine(
            before - before.mean(dim=1, keepdim=True), after - after.mean(dim=1, keepdim=True)
        ),
        "the cosine is that of a sample's features (dim=1), not that of a feature's samples": cosine(a, b, dim=0),
        "all factors were changed; change only the one that is named": measures.centred_cosine(
            before, before[order]
        ).mean(),
        "the other factors were changed, and the named one was kept": cosine(a, others - mean),
        "sample i is given the value that sample order[i] has; yours is the other way round": cosine(a, reverse - mean),
        "nothing has changed between before and after: is the changed factor rendered?": cosine(a, a),
        "this is one minus the cosine; return the cosine": 1 - cosine(a, b),
        "these are absolute values; an opposite feature has cosine -1": F.cosine_similarity(a, b).abs().mean(),
        "these are dot products; divide by the lengths of both": (a * b).sum(dim=1).mean(),
        "this is a distance; return the cosine": (a - b).norm(dim=1).mean(),
        "this is the sum over samples; return the mean": F.cosine_similarity(a, b).sum(),
    }


def turn_cases(rng: torch.Generator) -> list[dict]:
    """Features of several sizes; each pair of turns occurs once, in random order."""
    cases = []
    for d in (3, 5, 4):
        a, b = (torch.randn(16, d, generator=rng) for _ in range(2))
        pair = torch.randperm(16, generator=rng)
        M = torch.randn(4, d, d, generator=rng)
        cases.append({"a": a, "b": b, "M": M, "first": pair // 4, "second": pair % 4})
    return cases


def turn_verdict(inputs: dict, outputs: dict) -> str | None:
    result, right = outputs["result"], turn_loss(**inputs)
    if fault := loss_fault(outputs, len(inputs["a"]), "pictures"):
        return fault
    tolerance = 1e-4 * (1 + right.abs().item())  # float32, sums of up to 25 products
    if distance(result, right) > tolerance:
        return likely_cause(result, right, turn_mistakes(**inputs), tolerance) or (
            f"it is {result:.4f} and should be {right:.4f}: is the score of turn t of picture i the number "
            "a_i^T M_t b_i, and is there one softmax over the four turns of each picture?"
        )
    leaves = {name: inputs[name].detach().requires_grad_() for name in ("a", "b", "M")}
    wanted = torch.autograd.grad(turn_loss(**inputs | leaves), list(leaves.values()))
    for name, gradient, right_gradient in zip(leaves, outputs["gradients"], wanted, strict=True):
        if gradient is None:
            return no_gradient(name)
        if distance(gradient, right_gradient) > 1e-3 * (1 + right_gradient.abs().max().item()):
            return f"the value is right, but the gradient with respect to {name} is not: is a part detached?"
    return None


def turn_mistakes(a: Tensor, b: Tensor, M: Tensor, first: Tensor, second: Tensor) -> dict[str, Tensor]:
    """Wrong losses by their likely cause."""
    scores = torch.einsum("bi,tij,bj->bt", a, M, b)
    turn = (second - first) % 4

    def loss(scores: Tensor = scores, turn: Tensor = turn, reduction: str = "mean") -> Tensor:
        return F.cross_entropy(scores, turn, reduction=reduction)

    def of(a: Tensor, b: Tensor) -> Tensor:
        return torch.einsum("bi,tij,bj->bt", a, M, b)

    chosen = M[turn]
    return {
        "this is the turn from the second view to the first: subtract the other way round": loss(turn=(-turn) % 4),
        "you predict the turn of the second view alone; only the difference of the two can be known": loss(turn=second),
        "you predict the turn of the first view alone; only the difference of the two can be known": loss(turn=first),
        "turns are added; the turn from the first view to the second is their difference": loss(
            turn=(first + second) % 4
        ),
        "a negative difference has lost its sign: 0 - 3 quarter turns are 1, not 3 (% wraps)": loss(
            turn=(second - first).abs()
        ),
        "a negative difference is made 0: -3 quarter turns are 1 (% wraps)": loss(turn=(second - first).clamp(min=0)),
        "a and b have changed places: the score is a^T M_t b": loss(of(b, a)),
        "both sides are a: the score compares a with b": loss(of(a, a)),
        "both sides are b: the score compares a with b": loss(of(b, b)),
        "this is the sum over pictures; take the mean": loss(reduction="sum"),
        "the softmax is taken twice: cross-entropy takes it of the scores": loss(scores.softmax(dim=1)),
        "the sign is wrong: the loss is minus the logarithm of the right turn's probability": -loss(),
        "the softmax runs over the pictures; it belongs over the four turns (dim=1)": F.nll_loss(
            scores.log_softmax(dim=0), turn
        ),
        "this is minus the right turn's score; the other turns' scores are missing (softmax)": -torch.einsum(
            "bi,bij,bj->b", a, chosen, b
        ).mean(),
        "this is the share of wrong guesses, which has no gradient": (scores.argmax(dim=1) != turn).float().mean(),
    }


CHECKS = by_name(
    Check(crop_grid, grid_cases, grid_verdict, batch_run),
    Check(factor_invariance, factor_cases, factor_verdict, factor_run),
    Check(turn_loss, turn_cases, turn_verdict, turn_run),
)
