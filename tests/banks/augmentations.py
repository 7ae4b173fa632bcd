"""Lesson 4.1: how students write the crop's grid, the colour jitter and the invariance of a factor."""

import numpy as np
import torch
from torch.nn import functional as F

from tests.banks import Bank

grids, factors_, turns = Bank(), Bank(), Bank()
BANKS = {"crop_grid": grids, "factor_invariance": factors_, "turn_loss": turns}


def lines(boxes, size):
    """Fractions of the way down (H,) and across (W,), and the sides of the boxes, each (B,1)."""
    rows, columns = ((torch.arange(n) + 0.5) / n for n in size)
    return rows, columns, boxes.split(1, dim=1)


def grid_of(x, y, size):
    """x (B,W) and y (B,H) in pixels -> (B,H,W,2)."""
    height, width = size
    x, y = 2 * x / width - 1, 2 * y / height - 1
    return torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)


@grids.accept
def by_expanding(boxes, size):
    rows, columns, (top, left, tall, wide) = lines(boxes, size)
    return grid_of(left + columns * wide, top + rows * tall, size)


@grids.accept
def by_affine_grid(boxes, size):
    height, width = size
    top, left, tall, wide = boxes.unbind(dim=1)
    zero = torch.zeros_like(top)
    x = torch.stack([wide / width, zero, (2 * left + wide) / width - 1], dim=1)
    y = torch.stack([zero, tall / height, (2 * top + tall) / height - 1], dim=1)
    return F.affine_grid(torch.stack([x, y], dim=1), [len(boxes), 1, height, width], align_corners=False)


@grids.accept
def in_double(boxes, size):
    rows, columns = (torch.from_numpy((np.arange(n) + 0.5) / n) for n in size)
    top, left, tall, wide = boxes.split(1, dim=1)
    return grid_of(left + columns * wide, top + rows * tall, size)


@grids.refuse("sample by sample", "whole batch")
def box_by_box(boxes, size):
    return torch.cat([by_expanding(box[None], size) for box in boxes])


@grids.refuse("sample by sample", "whole batch")
def by_lists(boxes, size):
    (height, width), grid = size, []
    for top, left, tall, wide in boxes.tolist():
        x = [2 * (left + (j + 0.5) / width * wide) / width - 1 for j in range(width)]
        y = [2 * (top + (i + 0.5) / height * tall) / height - 1 for i in range(height)]
        grid.append([[[across, down] for across in x] for down in y])
    return torch.tensor(grid)


@grids.refuse("sample by sample", "whole batch")
def by_loops(boxes, size):
    height, width = size
    grid = torch.zeros(len(boxes), height, width, 2)
    for b, (top, left, tall, wide) in enumerate(boxes.tolist()):
        for i in range(height):
            for j in range(width):
                grid[b, i, j, 0] = (left + (j + 0.5) / width * wide) / width * 2 - 1
                grid[b, i, j, 1] = (top + (i + 0.5) / height * tall) / height * 2 - 1
    return grid


@grids.accept
def by_meshgrid(boxes, size):
    rows, columns, (top, left, tall, wide) = lines(boxes, size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    x = (left[:, :, None] + x * wide[:, :, None]) / size[1]
    y = (top[:, :, None] + y * tall[:, :, None]) / size[0]
    return 2 * torch.stack([x, y], dim=3) - 1


@grids.refuse("x and y have changed places")
def y_first(boxes, size):
    return by_expanding(boxes, size).flip(3)


@grids.refuse("half a pixel")
def without_half_a_pixel(boxes, size):
    rows, columns, (top, left, tall, wide) = lines(boxes, size)
    return grid_of(left + (columns - 0.5 / size[1]) * wide, top + (rows - 0.5 / size[0]) * tall, size)


@grids.refuse("align_corners=True")
def by_linspace(boxes, size):
    _, _, (top, left, tall, wide) = lines(boxes, size)
    return grid_of(left + torch.linspace(0, 1, size[1]) * wide, top + torch.linspace(0, 1, size[0]) * tall, size)


@grids.refuse("these are pixels")
def in_pixels(boxes, size):
    return (by_expanding(boxes, size) + 1) / 2 * torch.tensor([size[1], size[0]])


@grids.refuse("fractions from 0 to 1")
def from_zero_to_one(boxes, size):
    return (by_expanding(boxes, size) + 1) / 2


@grids.refuse("not its bottom and right")
def as_corners(boxes, size):
    rows, columns, (top, left, bottom, right) = lines(boxes, size)
    return grid_of(left + columns * (right - left), top + rows * (bottom - top), size)


@grids.refuse("whole picture")
def without_the_box(boxes, size):
    return F.affine_grid(torch.eye(2, 3).expand(len(boxes), 2, 3), [len(boxes), 1, *size], align_corners=False)


@grids.refuse("first one's box")
def one_box_for_all(boxes, size):
    return by_expanding(boxes[:1].expand_as(boxes), size)


@grids.refuse("corner (top, left) is missing")
def from_the_corner(boxes, size):
    rows, columns, (_, _, tall, wide) = lines(boxes, size)
    return grid_of(columns * wide, rows * tall, size)


@grids.refuse("last dimension")
def channels_first(boxes, size):
    return by_expanding(boxes, size).movedim(3, 1)


@grids.refuse("W - 1")
def divided_by_one_less(boxes, size):
    return (by_expanding(boxes, size) + 1) * torch.tensor([size[1] / (size[1] - 1), size[0] / (size[0] - 1)]) - 1


@grids.refuse("upside down")
def y_up(boxes, size):
    return by_expanding(boxes, size) * torch.tensor([1, -1])


def pair(h, render, factors, name, order):
    """Features before and after."""
    return h(render(**factors)), h(render(**{**factors, name: factors[name][order]}))


@factors_.accept
def centred(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    mean = before.mean(dim=0)
    return F.cosine_similarity(before - mean, after - mean, dim=1).mean()


@factors_.accept
def on_a_copy(h, render, factors, name, order):
    changed = dict(factors)
    changed[name] = torch.index_select(factors[name], 0, order)
    before, after = h(render(**factors)), h(render(**changed))
    a, b = (F.normalize(features - before.mean(dim=0, keepdim=True), dim=1) for features in (before, after))
    return (a * b).sum(dim=1).mean()


@factors_.accept
def sample_by_sample(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    mean = before.sum(dim=0) / len(before)
    cosines = [
        torch.dot(a - mean, b - mean) / ((a - mean).norm() * (b - mean).norm())
        for a, b in zip(before, after, strict=True)
    ]
    return torch.stack(cosines).mean()


@factors_.accept
def as_a_number(h, render, factors, name, order):
    return centred(h, render, factors, name, order).item()


@factors_.accept
def as_a_number_of_numpy(h, render, factors, name, order):
    before, after = (features.numpy() for features in pair(h, render, factors, name, order))
    a, b = before - before.mean(axis=0), after - before.mean(axis=0)
    return ((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean()


@factors_.refuse("before alone")
def mean_of_both(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    mean = torch.cat([before, after]).mean(dim=0)
    return F.cosine_similarity(before - mean, after - mean).mean()


@factors_.refuse("one number in all")
def one_mean_of_all(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    return F.cosine_similarity(before - before.mean(), after - before.mean()).mean()


@factors_.refuse("order", "not values")
def order_as_values(h, render, factors, name, order):
    before, after = h(render(**factors)), h(render(**{**factors, name: order}))
    return F.cosine_similarity(before - before.mean(dim=0), after - before.mean(dim=0)).mean()


@factors_.refuse("mean feature must be taken away")
def not_centred(h, render, factors, name, order):
    return F.cosine_similarity(*pair(h, render, factors, name, order)).mean()


@factors_.refuse("before the change from both")
def each_with_its_own_mean(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    return F.cosine_similarity(before - before.mean(dim=0), after - after.mean(dim=0)).mean()


@factors_.refuse("one for each sample")
def mean_of_each_sample(h, render, factors, name, order):
    before, after = (f - f.mean(dim=1, keepdim=True) for f in pair(h, render, factors, name, order))
    return F.cosine_similarity(before, after).mean()


@factors_.refuse("one number for each sample")
def not_averaged(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    return F.cosine_similarity(before - before.mean(dim=0), after - before.mean(dim=0))


@factors_.refuse("all factors were changed")
def all_factors(h, render, factors, name, order):
    before, after = h(render(**factors)), h(render(**{key: value[order] for key, value in factors.items()}))
    return F.cosine_similarity(before - before.mean(dim=0), after - before.mean(dim=0)).mean()


@factors_.refuse("other factors were changed")
def the_others(h, render, factors, name, order):
    changed = {key: value if key == name else value[order] for key, value in factors.items()}
    before, after = h(render(**factors)), h(render(**changed))
    return F.cosine_similarity(before - before.mean(dim=0), after - before.mean(dim=0)).mean()


@factors_.refuse("it changed its input")
def in_the_given_factors(h, render, factors, name, order):
    before = h(render(**factors))
    factors[name] = factors[name][order]
    after = h(render(**factors))
    return F.cosine_similarity(before - before.mean(dim=0), after - before.mean(dim=0)).mean()


@factors_.refuse("nothing has changed")
def rendered_once(h, render, factors, name, order):
    pictures = render(**factors)
    changed = factors | {name: factors[name][order]}
    assert changed
    before, after = h(pictures), h(pictures)
    return F.cosine_similarity(before - before.mean(dim=0), after - before.mean(dim=0)).mean()


@factors_.refuse("distance")
def a_distance(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    return (before - after).norm(dim=1).mean()


@factors_.refuse("dim=1")
def along_samples(h, render, factors, name, order):
    before, after = pair(h, render, factors, name, order)
    return F.cosine_similarity(before - before.mean(dim=0), after - before.mean(dim=0), dim=0).mean()


@factors_.refuse("other way round")
def reverse_order(h, render, factors, name, order):
    return centred(h, render, factors, name, order.argsort())


def scored(a, b, M):
    """Scores (B,4) of the four turns."""
    return torch.einsum("bi,tij,bj->bt", a, M, b)


@turns.accept
def by_einsum(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), (second - first) % 4)


@turns.accept
def matrix_by_matrix(a, b, M, first, second):
    scores = torch.stack([(a @ M[t] * b).sum(dim=1) for t in range(4)], dim=1)
    right = scores.gather(1, ((second - first) % 4)[:, None])[:, 0]
    return (scores.logsumexp(dim=1) - right).mean()


@turns.accept
def one_pair_at_a_time(a, b, M, first, second):
    losses = []
    for u, w, k1, k2 in zip(a, b, first.tolist(), second.tolist(), strict=True):
        losses.append(-torch.stack([u @ M_t @ w for M_t in M]).log_softmax(dim=0)[(k2 - k1) % 4])
    return torch.stack(losses).mean()


@turns.accept
def turns_in_double(a, b, M, first, second):
    return F.cross_entropy(scored(a.double(), b.double(), M.double()), torch.remainder(second - first, 4))


@turns.refuse("other way round")
def from_second_to_first(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), (first - second) % 4)


@turns.refuse("second view alone")
def the_second_view_alone(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), second)


@turns.refuse("first view alone")
def the_first_view_alone(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), first)


@turns.refuse("lost its sign")
def without_a_sign(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), (second - first).abs())


@turns.refuse("out of bounds")
def without_wrapping(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), second - first)


@turns.refuse("added")
def turns_added(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), (second + first) % 4)


@turns.refuse("changed places")
def a_and_b_swapped(a, b, M, first, second):
    return F.cross_entropy(scored(b, a, M), (second - first) % 4)


@turns.refuse("changed places")
def matrices_transposed(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M.transpose(1, 2)), (second - first) % 4)


@turns.refuse("both sides are a")
def a_twice(a, b, M, first, second):
    return F.cross_entropy(scored(a, a, M), (second - first) % 4)


@turns.refuse("softmax is taken twice")
def softmax_twice(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M).softmax(dim=1), (second - first) % 4)


@turns.refuse("sum over pictures")
def summed(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), (second - first) % 4, reduction="sum")


@turns.refuse("take their mean")
def not_reduced(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), (second - first) % 4, reduction="none")


@turns.refuse("softmax runs over the pictures")
def softmax_over_pictures(a, b, M, first, second):
    return F.nll_loss(scored(a, b, M).log_softmax(dim=0), (second - first) % 4)


@turns.refuse("other turns' scores are missing")
def the_right_score_alone(a, b, M, first, second):
    return -torch.einsum("bi,bij,bj->b", a, M[(second - first) % 4], b).mean()


@turns.refuse("no gradient flows to a")
def without_gradient_to_a(a, b, M, first, second):
    return F.cross_entropy(scored(a.detach(), b, M), (second - first) % 4)


@turns.refuse("no gradient flows to a")
def as_a_plain_value(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), (second - first) % 4).detach()


@turns.refuse("changed its input second")
def turns_in_place(a, b, M, first, second):
    return F.cross_entropy(scored(a, b, M), second.sub_(first).remainder_(4))
