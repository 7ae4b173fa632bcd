"""Augmentations of a batch with given parameters, one row of them a sample; nothing is drawn at random here.

Images are float (B,C,H,W) in [0,1], C is 1 or 3; results are new tensors on the same device.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

GREY = (0.2989, 0.587, 0.114)  # weights of red, green, blue in grey (ITU-R BT.601), as torchvision has them


def per_sample(values: Tensor) -> Tensor:
    """(B,) -> (B,1,1,1), to be broadcast with images."""
    return values[:, None, None, None]


def to_grey(x: Tensor) -> Tensor:
    """Brightness of colour images: (B,3,H,W) -> (B,1,H,W); grey images unchanged."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x.split(1, dim=1)
    return (GREY[0] * red).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])


def along_both_axes(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Apply linear maps (B,H,H) to the columns and (B,W,W) to the rows of each image, all channels alike."""
    return rows[:, None] @ x @ columns.transpose(1, 2)[:, None]


def crop_resize(x: Tensor, boxes: Tensor, mirror: Tensor | None = None) -> Tensor:
    """Cut out a box and enlarge it to the picture's size, bilinearly; mirror (B,) bool also flips it left to right.

    boxes (B,4): top, left, height, width in pixels, fractions allowed. As torchvision's resized_crop, antialias=False.
    Interpolation along one axis is linear, so a crop is two matrix products: rows @ image @ columns.
    """
    top, left, height, width = boxes.unbind(dim=1)
    rows = interpolation(top, height, x.shape[2])
    columns = interpolation(left, width, x.shape[3])
    if mirror is not None:
        columns = torch.where(mirror[:, None, None], columns.flip(1), columns)
    return along_both_axes(x, rows, columns)


def crop_grid(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The points (x, y) from which an enlarged box takes its pixels: (B,H,W,2), for grid_sample, align_corners=False.

    boxes (B,4): top, left, height, width in pixels; size: the picture's height H and width W. -1 and 1 are the outer
    edges of the picture. It crops as crop_resize does, except at a box's border, and more slowly; a grid can also
    express rotation and shear. Source: spatial transformers (Jaderberg et al., 2015), equation 1.
    """
    top, left, height, width = boxes[:, :, None].unbind(dim=1)
    row, column = ((torch.arange(n, device=boxes.device) + 0.5) / n for n in size)
    y = 2 * (top + row * height) / size[0] - 1
    x = 2 * (left + column * width) / size[1] - 1
    return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=3)


def interpolation(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Matrices (B,size,size) that stretch pixels start .. start + length of a line of `size` over the whole line."""
    pixel = torch.arange(size, device=start.device)
    start, length = start[:, None], length[:, None]
    source = start + (pixel + 0.5) * (length / size) - 0.5
    source = torch.clamp(source, start, start + length - 1)
    return (1 - (source[:, :, None] - pixel).abs()).clamp_(min=0)


def flip(x: Tensor, on: Tensor) -> Tensor:
    """Mirror samples left to right where on (B,) bool is set."""
    return torch.where(per_sample(on), x.flip(3), x)


def color_drop(x: Tensor, amount: Tensor) -> Tensor:
    """Blend towards grey by amount (B,) in [0,1]; grey images unchanged."""
    return torch.lerp(x, to_grey(x), per_sample(amount))


def color_jitter(x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Change brightness, contrast, saturation (factors (B,), 1 changes nothing), then hue (turns (B,), 0 nothing).

    As torchvision's adjust_brightness, adjust_contrast, adjust_saturation and adjust_hue in this order. Grey images
    have no saturation and no hue.
    """
    x = jitter(x, brightness, contrast, saturation)
    return x if x.shape[1] == 1 else shift_hue(x, hue)


def jitter(x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Scale the pixels, their distance to the mean grey of the picture, then to their own grey, by factors (B,).

    Clamped to [0,1] after each. As torchvision's adjust_brightness, adjust_contrast and adjust_saturation.
    """
    x = (x * per_sample(brightness)).clamp_(0, 1)
    mean = to_grey(x).mean(dim=(1, 2, 3))
    x = x.mul_(per_sample(contrast)).add_(per_sample(mean * (1 - contrast))).clamp_(0, 1)
    if x.shape[1] == 1:
        return x
    grey = to_grey(x).mul_(per_sample(1 - saturation))
    return x.mul_(per_sample(saturation)).add_(grey).clamp_(0, 1)


def shift_hue(x: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of colour images by turns (B,), in the HSV cone.

    Red, green and blue are value - chroma * clamp(min(k, 4 - k), 0, 1) with k = (n + 6 hue) mod 6 and n = 5, 3, 1.
    """
    red, green, blue = x.split(1, dim=1)
    value, low = x.amax(dim=1, keepdim=True), x.amin(dim=1, keepdim=True)
    chroma = value - low
    safe = torch.where(chroma == 0, 1, chroma)
    sixths = torch.where(value == green, (blue - red).div_(safe).add_(2), (red - green).div_(safe).add_(4))
    sixths = torch.where(value == red, (green - blue).div_(safe), sixths).add_(per_sample(6 * turns))
    n = torch.arange(5.0, 0, -2, device=x.device)[:, None, None]  # 5, 3, 1, made there: a copy would make a GPU wait
    k = (sixths + n).remainder_(6)
    k = torch.minimum(k, 4 - k).clamp_(0, 1)
    return torch.addcmul(value, chroma, k, value=-1)


def rotate(x: Tensor, degrees: Tensor) -> Tensor:
    """Rotate about the centre by degrees (B,), counter-clockwise; bilinear, black outside the picture."""
    angle = degrees * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    aspect = x.shape[2] / x.shape[3]  # the grid's unit is half a side, which differs between axes
    rows = [torch.stack([cos, -sin * aspect, zero], dim=1), torch.stack([sin / aspect, cos, zero], dim=1)]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def affine(x: Tensor, degrees: Tensor, scale: Tensor, shear: Tensor, shift: Tensor) -> Tensor:
    """Slant, enlarge, turn counter-clockwise and move each picture, about its centre; bilinear.

    degrees, scale, shear (B,): a shear of 0.3 moves the upper edge to the right by 0.3 of half a picture. shift (B,2):
    right and down, in pictures. Outside the picture its border goes on. Height and width are equal.
    """
    angle = degrees * (math.pi / 180)
    cos, sin, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)  # the grid asks where a pixel comes from
    slant = torch.stack([one, shear, zero, one], dim=1).view(-1, 2, 2)
    back = slant @ turn / scale[:, None, None]
    start = back @ (-2 * shift).unsqueeze(2)  # a picture is 2 wide in the grid's units
    grid = F.affine_grid(torch.cat([back, start], dim=2), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def cutout(x: Tensor, boxes: Tensor) -> Tensor:
    """Make a box black; boxes (B,4): top, left, height, width in pixels, no pixels where a side is 0."""
    top, left, height, width = boxes[:, :, None].unbind(dim=1)
    row, column = (torch.arange(size, device=x.device) for size in x.shape[2:])
    inside_rows = (row >= top) & (row < top + height)
    inside_columns = (column >= left) & (column < left + width)
    inside = inside_rows[:, :, None] & inside_columns[:, None, :]
    return x.masked_fill(inside[:, None], 0)


def gaussian_noise(x: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Add sigma (B,) times noise, which is of x's shape and of unit variance."""
    return torch.addcmul(x, per_sample(sigma), noise).clamp_(0, 1)


def gaussian_blur(x: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Blur with a Gaussian of sigma (B,) pixels, cut off at an odd kernel_size; mirrored at the edges."""
    offset = torch.arange(kernel_size, device=x.device) - kernel_size // 2
    exponent = -0.5 * (offset / sigma.clamp(min=1e-3)[:, None]).square()  # 1e-3: a single pixel, as for sigma 0
    kernel = exponent.softmax(dim=1)
    rows, columns = (convolution_matrix(kernel, size) for size in x.shape[2:])
    return along_both_axes(x, rows, columns)


def convolution_matrix(kernel: Tensor, size: int) -> Tensor:
    """Kernels (B,K) as matrices (B,size,size) that convolve a line of `size` pixels, mirrored at both ends."""
    reach = kernel.shape[1] // 2
    padded = F.pad(torch.eye(size, device=kernel.device)[None], (reach, reach), mode="reflect")[0]
    shifted = padded.unfold(1, size, 1)  # (source, shift, target)
    return torch.einsum("bk,skt->bts", kernel, shifted)


def sobel(x: Tensor, amount: Tensor) -> Tensor:
    """Blend by amount (B,) in [0,1] towards the magnitude of the gradient of brightness (Sobel's filter), 1 at most."""
    grey = F.pad(to_grey(x), (1, 1, 1, 1), mode="replicate")
    across = grey[..., 2:] - grey[..., :-2]
    down = grey[..., 2:, :] - grey[..., :-2, :]
    dx = (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 4
    dy = (down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]) / 4
    edges = (dx.square() + dy.square()).sqrt().clamp(max=1).expand_as(x)
    return torch.lerp(x, edges, per_sample(amount))
