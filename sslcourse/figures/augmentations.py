"""Lesson 4.1's figures: how augmentations change a picture and its features."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from sslcourse import augment, measures
from sslcourse.figures import OKABE_ITO, Control, explore, figure, show
from sslcourse.figures.described import Described, listed, spelled

MARKERS = "osD^vPX"


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
    names = [textwrap.fill(name, max(10, 36 // len(encoders)), break_long_words=False) for name in cosines]
    bars = axes["bars"].bar(names, list(cosines.values()), color=OKABE_ITO[: len(encoders)])
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


def factor_sliders(
    pictures: Tensor,
    render: Callable,
    factors: Mapping[str, Tensor],
    encoders: Mapping[str, nn.Module],
    number: int,
    names: Mapping[str, str],
    first: Mapping[str, float],
) -> Figure | None:
    """The explorer of one picture below a slider for each factor it was drawn from.

    pictures: (N,C,H,W) raw, drawn by render(**factors), where factors are name -> (N,). number: the picture that is
    changed. names: {a factor's label: its name}. first: what some sliders start from; the others leave the factor.
    """
    features = {name: measures.embed(encoder, pictures) for name, encoder in encoders.items()}

    def draw(**values: float) -> Figure:
        changed = {name: torch.tensor([values[label]]).to(factors[name].dtype) for label, name in names.items()}
        return explorer(pictures, number, measures.to_float(render(**changed)), encoders, features)

    return explore(
        draw,
        **{
            label: factor_control(label, factors[name], first.get(label, factors[name][number].item()))
            for label, name in names.items()
        },
    )


def factor_control(label: str, values: Tensor, first: float) -> Control:
    """A slider over the range of a factor's values (N,), which starts at `first`."""
    low, high = values.min().item(), values.max().item()
    if values.is_floating_point():
        return Control("FloatSlider", first, label, min=low, max=high, step=(high - low) / 50)
    return Control("IntSlider", first, label, min=low, max=high)


def prices(
    invariance: Tensor, accuracy: Tensor, views: Sequence[str], questions: Sequence[str], chances: Sequence[float],
    named: Sequence[str],
) -> Figure:  # fmt: skip
    """What the probe still answers (V,Q) over the invariance to the factor that is asked for (V,Q), a panel a question.

    views: names of the V networks; named: those that get a colour and a place in the legend, the others are grey.
    chances: what guessing reaches.
    """
    told = {
        view: {f"{question}: invariance {i:.2f}, accuracy": a for question, i, a in zip(questions, *row, strict=True)}
        for view, *row in zip(views, invariance.tolist(), accuracy.tolist(), strict=True)
    }
    alt = f"""A panel for each of the questions {listed(questions)}. Across: invariance to the factor that is asked for.
    Up: accuracy of the probe on test; a dotted line shows chance. A point for each network. {spelled(told)}."""
    fig, axes = figure(1, len(questions), 3.7 * len(questions), 4.6, alt)
    for q, (axis, question, chance) in enumerate(zip(axes, questions, chances, strict=True)):
        for v, view in enumerate(views):
            style = {"s": 60, "color": "#999999", "zorder": 2}
            if view in named:
                index = list(named).index(view)
                style = {"s": 150, "color": OKABE_ITO[index], "marker": MARKERS[index], "label": view, "zorder": 3}
            axis.scatter(invariance[v, q], accuracy[v, q], **style)
        axis.axhline(chance, color="gray", linestyle=":", linewidth=2)
        axis.set(title=question, xlim=(-0.05, 1.05), ylim=(0, 1.02), xlabel="invariance")
    axes[0].set_ylabel("accuracy, ten labels a class")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return fig


def doses(strengths: Sequence[float], accuracy: Mapping[str, Sequence[float]], xlabel: str) -> Figure:
    """A line for each question: the accuracy of its probe over the strength of an augmentation."""
    table = {name: dict(zip(strengths, values, strict=True)) for name, values in accuracy.items()}
    alt = f"Accuracy on test, from 0 to 1, over {xlabel}, a line for each question. {spelled(table)}."
    fig, (axis,) = figure(1, 1, 8, 4.2, alt)
    for (name, values), marker in zip(accuracy.items(), MARKERS, strict=False):
        axis.plot(strengths, values, marker=marker, markersize=9, label=name)
    axis.set(xlabel=xlabel, ylabel="accuracy on test", xticks=list(strengths), ylim=(0.4, 1.02))
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
