"""Figures of views: what augmentations make of a picture, and of its features."""

from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from sslcourse import measures
from sslcourse.plots import OKABE_ITO, figure


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


def show(axis, picture: Tensor, title: str = "") -> None:
    """A picture (C,H,W) in [0,1], without ticks."""
    axis.imshow(picture.cpu().permute(1, 2, 0).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[], title=title)
    axis.spines[:].set_visible(False)


def gallery(pictures: Mapping[str, Tensor], columns: int = 6) -> Figure:
    """Named pictures (C,H,W), uint8 or float in [0,1], in rows of so many columns."""
    made, axes = figure(-(-len(pictures) // columns), columns, 2.3 * columns, 2.6 * -(-len(pictures) // columns))
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, picture) in zip(axes, pictures.items(), strict=False):
        axis.set_axis_on()
        show(axis, measures.to_float(picture), name)
    return made
