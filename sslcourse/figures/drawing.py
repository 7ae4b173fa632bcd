"""Figures: readable at the back of a lecture hall, and without colour vision (Okabe and Ito's palette)."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.nn import functional as F

from sslcourse.augment import functional
from sslcourse.contrastive import similarity_logits
from sslcourse.measures import to_float
from sslcourse.training import History

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE = {
    "axes.prop_cycle": plt.cycler(color=OKABE_ITO),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 14,
    "lines.linewidth": 2.5,
    "figure.dpi": 90,
    "figure.constrained_layout.use": True,
}
plt.rcParams.update(STYLE)


def figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list]:
    """A figure with rows x columns axes (a flat list), width x height in inches."""
    made, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    plt.close(made)  # shown by whoever asked for it, not by pyplot on its own account
    return made, list(axes.flat)


def pictures(batches: Mapping[str, Tensor], columns: int | None = None, captions: Sequence[str] = ()) -> Figure:
    """One row of pictures for each named batch (B,C,H,W), uint8 or float in [0,1]; captions stand above the columns."""
    columns = columns or min(len(batch) for batch in batches.values())
    made, axes = figure(len(batches), columns, 1.15 * columns + 1.6, 1.2 * len(batches))
    for row, (name, batch) in enumerate(batches.items()):
        for column, image in enumerate(to_float(batch[:columns]).cpu()):
            axis = axes[row * columns + column]
            axis.imshow(image.permute(1, 2, 0).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axes[row * columns].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=14)
    for axis, caption in zip(axes, captions, strict=False):
        axis.set_title(caption, fontsize=12)
    return made


def training(histories: Mapping[str, History]) -> Figure:
    """Loss and the two collapse meters over epochs, a line for each named history."""
    made, axes = figure(1, 3, 13, 3.6)
    titles = ("pretext loss (nats)", "std (0: collapsed)", "effective rank (1: collapsed)")
    for axis, title, values in zip(axes, titles, ("loss", "std", "rank"), strict=True):
        for (name, history), marker in zip(histories.items(), cycle("os^Dv"), strict=False):
            series = getattr(history, values)
            axis.plot(range(1, len(series) + 1), series, marker=marker, label=name)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_ylim(0, 1.08 * axis.get_ylim()[1])
    if len(histories) > 1:
        axes[0].legend(frameon=False)
    return made


def accuracies(
    table: Mapping[str, Mapping[str, float]],
    chance: float,
    title: str = "",
    spread: Mapping[str, Mapping] | None = None,
) -> Figure:
    """Dots of test accuracy, a row for each method and a colour for each column: {method: {labels: accuracy}}.

    spread: {method: {labels: (mean, std)}} over the ledger's seeds, drawn as a bar below the dot where there is one.
    """
    made, (axis,) = figure(1, 1, 10, 1.4 + (0.75 if spread else 0.5) * len(table))
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    markers = "osD^v"
    for index, column in enumerate(columns):
        found = [(row[column], place) for place, row in enumerate(table.values()) if column in row]
        x, y = zip(*found, strict=True)
        axis.scatter(x, y, s=130, marker=markers[index], label=column, zorder=3, clip_on=False)
        for place, method in enumerate(table if spread else ()):
            if known := spread.get(method, {}).get(column):
                style = {"color": OKABE_ITO[index], "capsize": 6, "elinewidth": 2.5}
                axis.errorbar(known[0], place + 0.25 + 0.13 * index, xerr=known[1], fmt="|", ms=10, **style)
    axis.axvline(chance, color="gray", linestyle=":", linewidth=2)
    axis.annotate("chance", (chance, -0.6), xytext=(4, 0), textcoords="offset points", color="gray", va="center")
    axis.set(yticks=range(len(table)), yticklabels=list(table), xlim=(0, 1), title=title)
    axis.set_xlabel("accuracy on test" + ("; bars: mean ± spread over seeds" if spread else ""))
    axis.set_ylim(len(table) - 0.5, -0.9)
    axis.grid(axis="y", alpha=0.3)
    if len(columns) > 1:
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return made


def temperature(v: Tensor, z: Tensor, temperature: float, row: int = 0) -> Figure:
    """What the temperature does: similarities of projections v (2B,d) as probabilities, and who pushes one row away.

    z: (2B,) the row of each row's partner (outlined). Right: the share of the push on `row` that each negative has,
    from the most similar to the least (Wang and Liu, 2021, equation 5: proportional to its probability).
    """
    n = len(v)
    logits = similarity_logits(v, temperature)
    probability = logits.softmax(dim=1).cpu()
    made, (left, right) = figure(1, 2, 12, 5)
    drawn = left.imshow(probability.numpy(), cmap="viridis", vmin=0, vmax=1)
    for i, j in enumerate(z.tolist()):
        left.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="#E69F00", linewidth=2))
    left.set(xlabel="candidate j", ylabel="row i", xticks=[0, n // 2, n - 1], yticks=[0, n // 2, n - 1])
    loss = F.cross_entropy(logits, z).item()
    left.set_title(f"P(j is i's partner)\ntemperature {temperature:.3g}, loss {loss:.2f}")
    made.colorbar(drawn, ax=left, shrink=0.8)
    negatives = torch.ones(n, dtype=torch.bool)
    negatives[[row, int(z[row])]] = False
    share = probability[row, negatives].sort(descending=True).values
    share = (share / share.sum()).numpy()
    right.bar(range(1, len(share) + 1), share, color=OKABE_ITO[0])
    right.axhline(1 / len(share), color="gray", linestyle=":", linewidth=2, label="equal shares")
    right.set(xlabel="negatives, most similar first", ylabel="share of the push", ylim=(0, 1))
    right.set_title(f"Who pushes row {row} away?")
    right.legend(frameon=False)
    return made


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


def confusion(
    panels: Mapping[str, tuple[Tensor, Sequence[str], str]],
    rows: Sequence[str],
    ylabel: str,
    limits: tuple[float, float] = (0, 1),
    fontsize: int = 12,
) -> Figure:
    """Matrices of shares, a number in each field: {title: (matrix (R,C), names of the C columns, what they are)}.

    limits: the values of the darkest and of the lightest field. fontsize: of the numbers.
    """
    names = 0.8 + 0.12 * max(map(len, rows))  # inches beside a matrix
    widths = [names + len(columns) * max(0.72, 0.13 * max(map(len, columns))) for _, columns, _ in panels.values()]
    made, axes = plt.subplots(
        1, len(panels), figsize=(sum(widths), 0.55 * len(rows) + 1.4), width_ratios=widths, squeeze=False
    )
    plt.close(made)
    for axis, (title, (matrix, columns, xlabel)) in zip(axes.flat, panels.items(), strict=True):
        axis.imshow(matrix.numpy(), cmap="cividis", vmin=limits[0], vmax=limits[1], aspect="auto")
        for i, row in enumerate(matrix.tolist()):
            for j, share in enumerate(row):
                style = {"color": "black" if share > sum(limits) / 2 else "white", "fontsize": fontsize}
                axis.text(j, i, f"{share:.2f}".replace("0.", "."), ha="center", va="center", **style)
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axis.set(xticks=range(len(columns)), xticklabels=columns, yticks=range(len(rows)), yticklabels=rows)
        axis.spines[:].set_visible(False)
    return made


ANGLES = torch.arange(0, 361, 5.0)


def turned(pictures: Tensor, answer: Callable, degrees: float, picture: int) -> Figure:
    """A picture turned by any angle, counter-clockwise, and what a network of four turns says of it.

    pictures (N,C,H,W) float; answer: pictures -> probabilities (N,4). Right: its answers at all angles.
    """
    chosen = pictures[picture % len(pictures)]
    shown = functional.rotate(chosen[None], torch.tensor([float(degrees)]))
    made, (left, middle, right) = figure(1, 3, 15, 4.4)
    left.imshow(shown[0].permute(1, 2, 0).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
    left.set(xticks=[], yticks=[], title=f"turned by {degrees:g} degrees")
    names = [f"{90 * turn}°" for turn in range(4)]
    middle.bar(names, answer(shown)[0].tolist(), color=OKABE_ITO[:4])
    middle.set(ylim=(0, 1), xlabel="turn z", ylabel="P(z | picture)", title="what the network says")
    at_all_angles(right, chosen, answer, "at all angles")
    right.axvline(degrees, color="gray")
    right.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title="turn z")
    return made


def at_all_angles(axis: Axes, picture: Tensor, answer: Callable, title: str) -> None:
    """What a network of four turns says of a picture (C,H,W) at each of ANGLES, a line for each turn."""
    probability = answer(functional.rotate(picture.expand(len(ANGLES), -1, -1, -1), ANGLES))
    for turn, dashes in enumerate(("-", "--", "-.", ":")):
        axis.plot(ANGLES, probability[:, turn], color=OKABE_ITO[turn], linestyle=dashes, label=f"{90 * turn}°")
    axis.set(ylim=(0, 1.03), xlim=(0, 360), xticks=range(0, 361, 45), xlabel="turned by (degrees)", title=title)


def turned_beside(pictures: Mapping[str, Tensor], answer: Callable) -> Figure:
    """What a network of four turns says of named pictures (C,H,W) at all angles, side by side; see `turned`."""
    made, axes = figure(1, len(pictures), 5 * len(pictures), 4)
    for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
        at_all_angles(axis, picture, answer, name)
    axes[0].set_ylabel("P(z | picture)")
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title="turn z")
    return made
