"""Lesson 1.1's figures: label-efficiency curves, k-means at work, bits of supervision."""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.nn import functional as F

from sslcourse.figures import OKABE_ITO, Control, explore, figure, show
from sslcourse.figures.described import course, listed, short, spelled
from sslcourse.figures.drawing import SIDE, band


def label_curves(panels: Mapping[str, Mapping], references: Mapping, spread: Mapping, chance: float) -> Figure:
    """Accuracy over labels a class, with a panel for each paradigm and the references in all of them.

    panels: {title: {method: {labels: accuracy}}}; references: {method: {labels: accuracy}}; the last budget is "all".
    spread: {method: {labels: (mean, std)}} over the ledger's seeds, drawn as a band.
    """
    told = " ".join(f"{title}: {spelled(methods)}." for title, methods in panels.items())
    alt = f"Accuracy on test over labels a class (chance: {chance:.2f}), with a panel for each paradigm. {told}"
    fig, axes = figure(1, len(panels), 5 * len(panels), 5, f"{alt} In all panels: {spelled(references)}.")
    greys = iter((("#000000", "-"), ("#777777", "--"), ("#777777", ":")))
    lines = {name: (*next(greys), ".") for name in references}  # dots, where it was trained
    for axis, (title, methods) in zip(axes, panels.items(), strict=True):
        looks = zip(methods, OKABE_ITO, "os^", strict=False)
        styles = lines | {name: (color, "-", marker) for name, color, marker in looks}
        for name, (color, dashes, marker) in styles.items():
            row = {**references, **methods}[name]
            axis.plot(list(row), list(row.values()), color=color, linestyle=dashes, marker=marker, ms=9, label=name)
            if name in spread:
                band(axis, list(spread[name]), spread[name].values(), color)
        axis.axhline(chance, color="gray", linewidth=1)
        axis.set(title=title, xlabel="labels a class", ylim=(0, 1))
        axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.03, 0.1), fontsize=12)
    axes[0].set_ylabel("accuracy on test")
    axes[0].annotate("chance", (0, chance), xytext=(0, -14), textcoords="offset points", color="gray", fontsize=12)
    return fig


def kmeans(x: Tensor, path: list[Tensor], plane: Tensor, step: int) -> Figure:
    """k-means after `step` steps: points in a plane, the centroids as pictures, and the mean squared distance.

    x: grey pictures (N,28*28); path: centroids (K,28*28) after 0, 1, ... steps, K at most 10; plane: (28*28,2), the
    columns onto which points are projected.
    """
    centroids = path[step]
    nearest = torch.cdist(x, centroids).argmin(dim=1)
    mean = x.mean(dim=0)
    points, centres = ((rows - mean) @ plane for rows in (x, centroids))
    costs = [torch.cdist(x, c).min(dim=1).values.square().mean().item() for c in path]
    alt = f"""k-means after {step} of {len(path) - 1} steps. Left: pictures as points in a plane, each in its cluster's
    colour, with {len(centroids)} numbered centroids. Middle: the centroids as pictures. Right: the mean squared
    distance to the nearest centroid over steps, {course(costs)}; at this step {short(costs[step])}."""
    fig, (left, middle, right) = figure(1, 3, 15, 4.6, alt)
    for cluster in range(len(centroids)):
        color, marker = OKABE_ITO[cluster % 5], "o^"[cluster // 5]
        left.scatter(*points[nearest == cluster].T.tolist(), s=16, color=color, marker=marker, alpha=0.55, linewidth=0)
    for cluster, (u, w) in enumerate(centres.tolist()):
        box = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": OKABE_ITO[cluster % 5], "linewidth": 2}
        left.text(u, w, str(cluster), ha="center", va="center", fontsize=13, fontweight="bold", bbox=box)
    left.set(xlabel="first principal component", ylabel="second", xticks=[], yticks=[], title="pictures and centroids")
    show_centroids(middle, centroids, f"centroids after {step} step{'' if step == 1 else 's'}")
    right.plot(costs, color="#777777")
    right.plot(step, costs[step], "o", ms=12, color=OKABE_ITO[1])
    right.set(xlabel="step", title="mean squared distance\nto the nearest centroid")
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    return fig


def show_centroids(axis: Axes, centroids: Tensor, title: str) -> None:
    """Draw numbered centroids (K,28*28), K at most 10, as one picture with two rows of five tiles."""
    tile = SIDE + 2  # pixels on a side, with the white border
    tiles = F.pad(centroids.view(-1, SIDE, SIDE), (1, 1, 1, 1), value=1.0)
    tiles = torch.cat([tiles, torch.ones(10 - len(tiles), tile, tile)]).view(2, 5, tile, tile)
    show(axis, tiles.permute(0, 2, 1, 3).reshape(1, 2 * tile, 5 * tile), title)
    for cluster in range(len(centroids)):
        corner = tile * (cluster % 5) + 2, tile * (cluster // 5) + 2
        axis.text(*corner, str(cluster), color="#E69F00", va="top", bbox={"facecolor": "black", "pad": 1})


def clouds(groups: Mapping[str, Tensor], xlabel: str, ylabel: str) -> Figure:
    """Points (column, row) in a picture, rows downwards, with a colour and a marker for each named group (N,2)."""
    centres = {name: points.float().mean(dim=0).tolist() for name, points in groups.items()}
    told = listed(f"{name} around {xlabel} {x:.1f}, {ylabel} {y:.1f}" for name, (x, y) in centres.items())
    fig, (axis,) = figure(1, 1, 8, 5, f"Clouds of points, {xlabel} to the right and {ylabel} downwards: {told}.")
    for (name, points), marker in zip(groups.items(), "os^Dv", strict=False):
        axis.scatter(*points.T.tolist(), s=25, marker=marker, alpha=0.6, linewidth=0, label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.invert_yaxis()
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    return fig


def bits(table: Mapping[str, float]) -> Figure:
    """Bits a sample, {target: bits}, as dots on a logarithmic axis, each with its value."""
    told = listed(f"{name} {short(value)}" for name, value in table.items())
    alt = f"Bits a sample, estimated, as dots on a logarithmic axis: {told}."
    fig, (axis,) = figure(1, 1, 10, 1.4 + 0.55 * len(table), alt)
    axis.plot(list(table.values()), list(table), "o", ms=12, color=OKABE_ITO[0])
    for y, value in enumerate(table.values()):
        text = f"{value:.2f}" if value < 10 else f"{value:,.0f}"
        axis.annotate(text, (value, y), xytext=(12, 0), textcoords="offset points", va="center")
    axis.set(xscale="log", xlabel="bits a sample, estimated", xlim=(0.1, 8 * max(table.values())))
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.grid(axis="y", alpha=0.3)
    return fig


def kmeans_slider(x: Tensor, path: list[Tensor], plane: Tensor) -> Figure | None:
    """The figure `kmeans` of the same arguments, below a slider for the step."""
    last = len(path) - 1  # the first figure shown, and the one that stays where no kernel runs
    return explore(lambda step: kmeans(x, path, plane, step), step=Control("IntSlider", last, "step", min=0, max=last))
