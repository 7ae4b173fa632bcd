"""Lesson 4.1's figures: what augmentations make of a picture, and of its features."""

from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from sslcourse import augment, measures
from sslcourse.figures import OKABE_ITO, Control, explore, figure, show


def explorer(
    pictures: Tensor, number: int, changed: Tensor, encoders: Mapping[str, nn.Module], features: Mapping[str, Tensor]
) -> Figure:
    """A picture before and after a change, and how much of it each encoder sees.

    pictures (N,C,H,W) raw; the one with this number was changed, (1,C,H,W) float. features: of all pictures (N,D), for
    each encoder's name. Bars: centred cosines, as in measures.invariance; below, the nearest of the pictures.
    """
    tiles = [f"nearest {i}" for i in range(len(encoders))]
    wide = max(1, 3 / len(encoders))  # the title needs its place above a single bar, too
    made, axes = plt.subplot_mosaic(
        [["before", "after", *["bars"] * len(encoders)], ["before", "after", *tiles]],
        figsize=(7.5 + 1.6 * wide * len(encoders), 4.6),
        width_ratios=[2.2, 2.2, *[wide] * len(encoders)],
        height_ratios=[1.8, 1],
    )
    plt.close(made)
    show(axes["before"], measures.to_float(pictures[number]), "picture")
    show(axes["after"], changed[0], "changed")
    cosines = []
    for tile, (name, encoder) in zip(tiles, encoders.items(), strict=True):
        cosine = measures.centred_cosine(features[name], measures.embed(encoder, changed))
        cosines.append(cosine[number].item())
        show(axes[tile], measures.to_float(pictures[cosine.argmax()]))
    bars = axes["bars"].bar(list(encoders), cosines, color=OKABE_ITO[: len(encoders)])
    axes["bars"].bar_label(bars, fmt="%.2f", padding=2)
    axes["bars"].axhline(0, color="black", linewidth=1)
    axes["bars"].set(ylim=(-0.6, 1.15), yticks=(-0.5, 0, 0.5, 1), title="cosine of features, before and after")
    axes[tiles[0]].set_ylabel("nearest to\nchanged", rotation=0, ha="right", va="center")
    return made


def gallery(pictures: Mapping[str, Tensor], columns: int = 6) -> Figure:
    """Named pictures (C,H,W), uint8 or float in [0,1], in rows of so many columns."""
    made, axes = figure(-(-len(pictures) // columns), columns, 2.3 * columns, 2.6 * -(-len(pictures) // columns))
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, picture) in zip(axes, pictures.items(), strict=False):
        axis.set_axis_on()
        show(axis, measures.to_float(picture), name)
    return made


def view_sliders(
    pictures: Tensor, encoders: Mapping[str, nn.Module], number: int, strengths: Mapping[str, float]
) -> Figure | None:
    """Ten sliders, one for each of figure 4's augmentations, and what encoders (name -> module) make of a picture.

    pictures (N,C,H,W) raw: which one is changed is a slider, too; the nearest is one of them. number and strengths: the
    picture and the augmentations to begin with.
    """
    features = {name: measures.embed(encoder, pictures) for name, encoder in encoders.items()}
    shape = {"style": {"description_width": "10em"}, "layout": {"width": "auto"}}

    def draw(picture: int, chance: int, **strengths: float) -> Figure:
        changed = augment.figure_4(measures.to_float(pictures[picture])[None], strengths, chance)
        return explorer(pictures, picture, changed, encoders, features)

    ten = {
        name: Control("FloatSlider", strengths.get(name, 0), name, min=0, max=1, step=0.05, **shape)
        for name in augment.FIGURE_4
    }
    return explore(
        draw,
        picture=Control("IntSlider", number, "picture", min=0, max=len(pictures) - 1, **shape),
        chance=Control("IntSlider", 0, "chance", min=0, max=20, **shape),
        **ten,
    )
