"""Lesson 4.1's figures: how augmentations change a picture and its features."""

import math
from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from sslcourse import augment, measures
from sslcourse.figures import OKABE_ITO, Control, explore, figure, show
from sslcourse.figures.described import Described, listed


def explorer(
    pictures: Tensor, number: int, changed: Tensor, encoders: Mapping[str, nn.Module], features: Mapping[str, Tensor]
) -> Figure:
    """A picture before and after a change, and how far each encoder's features follow the change.

    pictures: (N,C,H,W) raw; changed: (1,C,H,W) float, the changed version of pictures[number]. features: {encoder's
    name: features (N,D) of all pictures}. Bars: centred cosines, as in measures.invariance; below each, the picture
    whose features are nearest to those of the changed one.
    """
    similar = {
        name: measures.centred_cosine(features[name], measures.embed(encoder, changed))
        for name, encoder in encoders.items()
    }
    cosines = {name: cosine[number].item() for name, cosine in similar.items()}
    tiles = [f"nearest {i}" for i in range(len(encoders))]
    width = max(1, 3 / len(encoders))  # a single bar is wide enough for the title above it
    fig, axes = plt.subplot_mosaic(
        [["before", "after", *["bars"] * len(encoders)], ["before", "after", *tiles]],
        figsize=(7.5 + 1.6 * width * len(encoders), 4.6),
        width_ratios=[2.2, 2.2, *[width] * len(encoders)],
        height_ratios=[1.8, 1],
        FigureClass=Described,
        alt=f"""Picture {number} and a changed version of it. Bars: the cosine between the features of the two,
        {listed(f"{name} {cosine:.2f}" for name, cosine in cosines.items())}. Below each bar: the picture whose
        features are nearest to those of the changed one.""",
    )
    plt.close(fig)
    show(axes["before"], measures.to_float(pictures[number]), "picture")
    show(axes["after"], changed[0], "changed")
    for tile, cosine in zip(tiles, similar.values(), strict=True):
        show(axes[tile], measures.to_float(pictures[cosine.argmax()]))
    bars = axes["bars"].bar(list(cosines), list(cosines.values()), color=OKABE_ITO[: len(encoders)])
    axes["bars"].bar_label(bars, fmt="%.2f", padding=2)
    axes["bars"].axhline(0, color="black", linewidth=1)
    axes["bars"].set(ylim=(-0.6, 1.15), yticks=(-0.5, 0, 0.5, 1), title="cosine of features, before and after")
    axes[tiles[0]].set_ylabel("nearest to\nchanged", rotation=0, ha="right", va="center")
    return fig


def gallery(pictures: Mapping[str, Tensor], columns: int = 6) -> Figure:
    """Pictures (C,H,W), uint8 or float in [0,1], each with its name as title, in rows of `columns` pictures."""
    rows = math.ceil(len(pictures) / columns)
    alt = f"{len(pictures)} pictures, each with its name above it: {listed(pictures)}."
    fig, axes = figure(rows, columns, 2.3 * columns, 2.6 * rows, alt)
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, picture) in zip(axes, pictures.items(), strict=False):
        axis.set_axis_on()
        show(axis, measures.to_float(picture), name)
    return fig


def view_sliders(
    pictures: Tensor, encoders: Mapping[str, nn.Module], number: int, strengths: Mapping[str, float]
) -> Figure | None:
    """The explorer of a changed picture below ten sliders, one for each of figure 4's augmentations.

    pictures: (N,C,H,W) raw; further sliders choose one of them, and the random numbers of its change. encoders: by
    name. number, strengths: the first picture, and the first strengths of augmentations by name (others are 0).
    """
    features = {name: measures.embed(encoder, pictures) for name, encoder in encoders.items()}
    options = {"style": {"description_width": "10em"}, "layout": {"width": "auto"}}

    def draw(picture: int, chance: int, **strengths: float) -> Figure:
        changed = augment.figure_4(measures.to_float(pictures[picture])[None], strengths, chance)
        return explorer(pictures, picture, changed, encoders, features)

    augmentations = {
        name: Control("FloatSlider", strengths.get(name, 0), name, min=0, max=1, step=0.05, **options)
        for name in augment.FIGURE_4
    }
    return explore(
        draw,
        picture=Control("IntSlider", number, "picture", min=0, max=len(pictures) - 1, **options),
        chance=Control("IntSlider", 0, "chance", min=0, max=20, **options),
        **augmentations,
    )
