"""Lesson 4.1: how students write the crop's grid, the colour jitter and the invariance of a factor."""

import numpy as np
import torch
from torch.nn import functional as F

from sslcourse.augment import to_grey
from tests.banks import Bank

grids, jitters, factors_ = Bank(), Bank(), Bank()
BANKS = {"crop_grid": grids, "jitter": jitters, "factor_invariance": factors_}


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


def per_picture(factor):
    return factor.view(-1, 1, 1, 1)


def mean_grey(x):
    return to_grey(x).mean(dim=(1, 2, 3), keepdim=True)


def mixed(x, other, factor):
    return (per_picture(factor) * x + (1 - per_picture(factor)) * other).clamp(0, 1)


@jitters.accept
def step_by_step(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    x = mixed(x, mean_grey(x), contrast)
    return mixed(x, to_grey(x), saturation)


@jitters.accept
def by_lerp(x, brightness, contrast, saturation):
    x = torch.lerp(torch.zeros_like(x), x, per_picture(brightness)).clamp(0, 1)
    x = torch.lerp(mean_grey(x), x, per_picture(contrast)).clamp(0, 1)
    return torch.lerp(to_grey(x), x, per_picture(saturation)).clamp(0, 1)


@jitters.accept
def all_in_double(x, brightness, contrast, saturation):
    return step_by_step(x.double(), brightness.double(), contrast.double(), saturation.double())


@jitters.refuse("sample by sample", "whole batch")
def picture_by_picture(x, brightness, contrast, saturation):
    parts = (part.split(1) for part in (x, brightness, contrast, saturation))
    return torch.cat([step_by_step(*sample) for sample in zip(*parts, strict=True)])


@jitters.refuse("sample by sample", "whole batch")
def by_torchvision(x, brightness, contrast, saturation):
    from torchvision.transforms.v2 import functional as tv

    made = []
    for picture, b, c, s in zip(x, brightness.tolist(), contrast.tolist(), saturation.tolist(), strict=True):
        picture = tv.adjust_contrast(tv.adjust_brightness(picture, b), c)
        made.append(tv.adjust_saturation(picture, s))
    return torch.stack(made)


@jitters.accept
def about_the_mean(x, brightness, contrast, saturation):
    x = torch.einsum("b,bchw->bchw", brightness, x).clamp(min=0, max=1)
    mean = mean_grey(x)
    x = (mean + per_picture(contrast) * (x - mean)).clamp(min=0, max=1)
    grey = to_grey(x)
    return (grey + per_picture(saturation) * (x - grey)).clamp(min=0, max=1)


@jitters.refuse("first one's factors")
def one_factor_for_all(x, brightness, contrast, saturation):
    return step_by_step(x, *(f[:1].expand(len(x)) for f in (brightness, contrast, saturation)))


@jitters.refuse("clamp")
def never_clamped(x, brightness, contrast, saturation):
    x = x * per_picture(brightness)
    x = per_picture(contrast) * x + (1 - per_picture(contrast)) * mean_grey(x)
    return per_picture(saturation) * x + (1 - per_picture(saturation)) * to_grey(x)


@jitters.refuse("clamp")
def clamped_at_the_end(x, brightness, contrast, saturation):
    return never_clamped(x, brightness, contrast, saturation).clamp(0, 1)


@jitters.refuse("0.5")
def about_a_half(x, brightness, contrast, saturation):
    x = mixed((x * per_picture(brightness)).clamp(0, 1), torch.tensor(0.5), contrast)
    return mixed(x, to_grey(x), saturation)


@jitters.refuse("each channel")
def about_each_channel(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    x = mixed(x, x.mean(dim=(2, 3), keepdim=True), contrast)
    return mixed(x, to_grey(x), saturation)


@jitters.refuse("whole batch")
def about_the_batch(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    x = mixed(x, to_grey(x).mean(), contrast)
    return mixed(x, to_grey(x), saturation)


@jitters.refuse("plain mean")
def about_the_plain_mean(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    x = mixed(x, x.mean(dim=(1, 2, 3), keepdim=True), contrast)
    return mixed(x, to_grey(x), saturation)


@jitters.refuse("contrast is the wrong way round")
def contrast_inverted(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    return mixed(mixed(x, mean_grey(x), 1 - contrast), to_grey(mixed(x, mean_grey(x), 1 - contrast)), saturation)


@jitters.refuse("each pixel's own grey")
def saturation_about_the_mean(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    x = mixed(x, mean_grey(x), contrast)
    return mixed(x, mean_grey(x), saturation)


@jitters.refuse("clamp after the first step")
def first_step_unclamped(x, brightness, contrast, saturation):
    x = x * per_picture(brightness)
    x = mixed(x, mean_grey(x), contrast)
    return mixed(x, to_grey(x), saturation)


@jitters.refuse("clamp after the second step")
def second_step_unclamped(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    x = mean_grey(x) + per_picture(contrast) * (x - mean_grey(x))
    return mixed(x, to_grey(x), saturation)


@jitters.refuse("saturation is the wrong way round")
def saturation_inverted(x, brightness, contrast, saturation):
    return step_by_step(x, brightness, contrast, 1 - saturation)


@jitters.refuse("order")
def saturation_first(x, brightness, contrast, saturation):
    x = mixed(x, to_grey(x), saturation)
    x = mixed(x, mean_grey(x), contrast)
    return (x * per_picture(brightness)).clamp(0, 1)


@jitters.refuse("added")
def brightness_added(x, brightness, contrast, saturation):
    x = (x + per_picture(brightness) - 1).clamp(0, 1)
    x = mixed(x, mean_grey(x), contrast)
    return mixed(x, to_grey(x), saturation)


@jitters.refuse("saturation is left out")
def without_saturation(x, brightness, contrast, saturation):
    x = (x * per_picture(brightness)).clamp(0, 1)
    return mixed(x, mean_grey(x), contrast)


@jitters.refuse("changed its input x")
def in_place(x, brightness, contrast, saturation):
    x.mul_(per_picture(brightness)).clamp_(0, 1)
    x = mixed(x, mean_grey(x), contrast)
    return mixed(x, to_grey(x), saturation)


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
