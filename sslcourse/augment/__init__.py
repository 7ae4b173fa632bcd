"""Augmentations on whole batches of tensors: every sample with parameters of its own, on the batch's device.

`functional` applies given parameters; the classes draw them, and are called as `augmentation(x, generator)` on float
images (B,C,H,W) in [0,1], C = 1 or 3.
"""

from sslcourse.augment.drawn import (
    FIGURE_4,
    Augmentation,
    Blur,
    ColorDrop,
    Compose,
    Crop,
    Cutout,
    Flip,
    Jitter,
    Noise,
    Rotate,
    Sobel,
    figure_4,
    simclr,
)
from sslcourse.augment.functional import color_drop, crop_grid, to_grey
from sslcourse.augment.symbols import Affine, Drawing, Lighten, drawing, placed, symbols

__all__ = [
    "FIGURE_4",
    "Affine",
    "Augmentation",
    "Blur",
    "ColorDrop",
    "Compose",
    "Crop",
    "Cutout",
    "Drawing",
    "Flip",
    "Jitter",
    "Lighten",
    "Noise",
    "Rotate",
    "Sobel",
    "color_drop",
    "crop_grid",
    "drawing",
    "figure_4",
    "placed",
    "simclr",
    "symbols",
    "to_grey",
]
