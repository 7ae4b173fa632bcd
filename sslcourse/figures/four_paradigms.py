"""Lesson 1.1's figures: label-efficiency curves, k-means at work, bits of supervision."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.nn import functional as F

from sslcourse.figures import OKABE_ITO, Control, explore, figure


def label_curves(panels: Mapping[str, Mapping], references: Mapping, spread: Mapping, chance: float) -> Figure:
    """Label-efficiency curves: accuracy over labels a class, a panel for each paradigm, references in all of them.

    panels: {title: {method: {labels: accuracy}}}; references: {method: {labels: accuracy}}; the last budget is "all".
    spread: {method: {labels: (mean, std)}} over the ledger's seeds, drawn as a band where there is one.
    """
    made, axes = figure(1, len(panels), 5 * len(panels), 5)
    greys = iter((("#000000", "-"), ("#777777", "--"), ("#777777", ":")))
    lines = {name: (*next(greys), None) for name in references}
    for axis, (title, methods) in zip(axes, panels.items(), strict=True):
        own = zip(methods, OKABE_ITO, "os^", strict=False)
        styles = lines | {name: (color, "-", marker) for name, color, marker in own}
        for name, (color, dashes, marker) in styles.items():
            row = {**references, **methods}[name]
            axis.plot(list(row), list(row.values()), color=color, linestyle=dashes, marker=marker, ms=9, label=name)
            if known := spread.get(name):
                low, high = ([mean + side * std for mean, std in known.values()] for side in (-1, 1))
                axis.fill_between(list(known), low, high, color=color, alpha=0.15, linewidth=0)
        axis.axhline(chance, color="gray", linewidth=1)
        axis.set(title=title, xlabel="labels a class", ylim=(0, 1))
        axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.03, 0.1), fontsize=12)
    axes[0].set_ylabel("accuracy on test")
    axes[0].annotate("chance", (0, chance), xytext=(0, -14), textcoords="offset points", color="gray", fontsize=12)
    return made


def kmeans(x: Tensor, path: list[Tensor], plane: Tensor, step: int) -> Figure:
    """k-means after `step` steps: points in a plane, the centroids as pictures, and the mean squared distance so far.

    x (N,28*28) grey pictures; path: centroids (K,28*28) after 0, 1, ... steps, K at most 10; plane (28*28,2).
    """
    centroids, k = path[step], len(path[step])
    nearest = torch.cdist(x, centroids).argmin(dim=1)
    center = x.mean(dim=0)
    points, places = ((rows - center) @ plane for rows in (x, centroids))
    made, (left, middle, right) = figure(1, 3, 15, 4.6)
    for cluster in range(k):
        color, marker = OKABE_ITO[cluster % 5], "o^"[cluster // 5]
        left.scatter(*points[nearest == cluster].T.tolist(), s=16, color=color, marker=marker, alpha=0.55, linewidth=0)
    for cluster, (u, w) in enumerate(places.tolist()):
        box = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": OKABE_ITO[cluster % 5], "linewidth": 2}
        left.text(u, w, str(cluster), ha="center", va="center", fontsize=13, fontweight="bold", bbox=box)
    left.set(xlabel="first principal component", ylabel="second", xticks=[], yticks=[], title="pictures and centroids")
    tiles = F.pad(centroids.view(-1, 28, 28), (1, 1, 1, 1), value=1.0)
    tiles = torch.cat([tiles, torch.ones(10 - k, 30, 30)]).view(2, 5, 30, 30).permute(0, 2, 1, 3).reshape(60, 150)
    middle.imshow(tiles.numpy(), cmap="gray", vmin=0, vmax=1)
    for cluster in range(k):
        place = 30 * (cluster % 5) + 2, 30 * (cluster // 5) + 2
        middle.text(*place, str(cluster), color="#E69F00", va="top", bbox={"facecolor": "black", "pad": 1})
    middle.set(xticks=[], yticks=[], title=f"centroids after {step} step{'' if step == 1 else 's'}")
    middle.spines[:].set_visible(False)
    costs = [torch.cdist(x, c).min(dim=1).values.square().mean().item() for c in path]
    right.plot(costs, color="#777777")
    right.plot(step, costs[step], "o", ms=12, color=OKABE_ITO[1])
    right.set(xlabel="step", title="mean squared distance\nto the nearest centroid")
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    return made


def clouds(groups: Mapping[str, Tensor], xlabel: str, ylabel: str) -> Figure:
    """Clouds of points (column, row) in a picture, rows downwards: a colour and a marker for each named group (N,2)."""
    made, (axis,) = figure(1, 1, 8, 5)
    for (name, points), marker in zip(groups.items(), "os^Dv", strict=False):
        axis.scatter(*points.T.tolist(), s=25, marker=marker, alpha=0.6, linewidth=0, label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.invert_yaxis()
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    return made


def bits(table: Mapping[str, float]) -> Figure:
    """Bars of bits a sample on a logarithmic axis, each with its value: {target: bits}."""
    made, (axis,) = figure(1, 1, 10, 1.4 + 0.55 * len(table))
    axis.barh(list(table), list(table.values()), color=OKABE_ITO[0])
    for place, value in enumerate(table.values()):
        shown = f"{value:.2f}" if value < 10 else f"{value:,.0f}"
        axis.annotate(shown, (value, place), xytext=(6, 0), textcoords="offset points", va="center")
    axis.set(xscale="log", xlabel="bits a sample, estimated", xlim=(0.1, 8 * max(table.values())))
    axis.invert_yaxis()
    return made


def kmeans_slider(x: Tensor, path: list[Tensor], plane: Tensor) -> Figure | None:
    """A slider over the steps of k-means: pictures x (N,28*28), centroids after each step, a plane (28*28,2)."""
    last = len(path) - 1  # shown first, so that the figure that stays where no kernel runs is the result
    return explore(lambda step: kmeans(x, path, plane, step), step=Control("IntSlider", last, "step", min=0, max=last))
