"""Lesson 5.1's figures: label budgets, and accuracy under shift."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from sslcourse.figures import OKABE_ITO, Control, explore, figure
from sslcourse.figures.described import listed, spelled
from sslcourse.figures.drawing import band

COLORS = (*OKABE_ITO[:5], "#000000")  # the two blues are too alike for pale points
ALL = 400  # the position of "all" on an axis of labels a class
BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK = OKABE_ITO
STYLES = {  # the colour, marker and hatch of each method, the same in all figures
    "linear probe": (BLUE, "o", ""),
    "probe, then crops": (SKY, "P", "--"),
    "LoRA": (VERMILION, "s", "//"),
    "probe, then fine-tune": (GREEN, "^", ".."),
    "fine-tune": (PINK, "D", "xx"),
    "supervised": (ORANGE, "v", "\\\\"),
    "prototypes": (VERMILION, "*", ""),  # two colours serve twice: frozen and changed features never share a panel
    "kNN": (GREEN, "X", ""),
    "raw input": ("gray", "<", ""),
    "random init": (BLACK, ">", ""),
}


def budget(
    plane: Tensor,
    y: Tensor,
    chosen: Tensor,
    names: Sequence[str],
    curves: Mapping[str, Mapping[int, float]],
    labels: int,
) -> Figure:
    """The labeled samples among all features, and the accuracy that so many labels a class give.

    Left: features plane (N,2) of classes y (N,), drawn where y < len(names); chosen (M,): the rows that have labels.
    Right: curves {method: {labels a class: accuracy}}, with a vertical line at `labels`.
    """
    alt = f"""Left: features of {listed(names)} in the plane of their first two principal components; the samples with
    labels, {labels} a class, are outlined. Right: accuracy on test over labels a class, a curve for each method, with a
    line at {labels}. {spelled(curves)}."""
    fig, (left, right) = figure(1, 2, 14, 5.4, alt)
    labeled = set(chosen.tolist())
    for label, name in enumerate(names):
        color, marker = COLORS[label], "os^Dvp"[label]
        rows = (y == label).nonzero()[:, 0].tolist()
        left.scatter(*plane[rows].T.tolist(), s=14, color=color, marker=marker, alpha=0.25, linewidth=0)
        points = plane[[row for row in rows if row in labeled]]
        style = {"s": 150, "color": color, "marker": marker, "edgecolor": "black", "linewidth": 1.5, "zorder": 3}
        left.scatter(*points.T.tolist(), label=name, **style)
    left.set(xticks=[], yticks=[], xlabel="first principal component of the features", ylabel="second")
    left.set_title(f"{labels} label{'s' if labels > 1 else ''} a class (outlined)")
    left.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    for name, row in curves.items():
        color, marker, _ = STYLES[name]
        right.plot(list(row), list(row.values()), color=color, marker=marker, ms=9, label=f"{name}: {row[labels]:.2f}")
    right.axvline(labels, color="gray", linestyle=":")
    right.set(xscale="log", ylim=(0, 1), xlabel="labels a class", ylabel="accuracy on test", title="all 13 photographs")
    right.set_xticks(list(next(iter(curves.values()))), [str(n) for n in next(iter(curves.values()))])
    right.minorticks_off()
    right.legend(loc="lower right", framealpha=1, edgecolor="none")
    return fig


def curves(panels: Mapping[str, Mapping[str, Mapping[str, float]]], spread: Mapping, chance: float) -> Figure:
    """Accuracy over label budgets, with a panel for each group of methods.

    panels: {title: {method: {labels a class: accuracy}}}, where labels are numbers as text, or "all".
    spread: {method: {labels a class: (mean, std)}} over the ledger's seeds, drawn as a band.
    """
    told = " ".join(f"{title}: {spelled(methods)}." for title, methods in panels.items())
    alt = f"Accuracy on test over labels a class (chance: {chance:.2f}), a curve for each method. {told}"
    fig, axes = figure(1, len(panels), 7.5 * len(panels), 6.5, alt)
    for axis, (title, methods) in zip(axes, panels.items(), strict=True):
        for name, row in methods.items():
            color, marker, _ = STYLES[name]
            axis.plot(positions(row), list(row.values()), ms=10, label=name, color=color, marker=marker)
            if name in spread:
                band(axis, positions(spread[name]), spread[name].values(), color)
        axis.axhline(chance, color="gray", linewidth=1)
        axis.set_title(title, fontsize=18)
        axis.set(xscale="log", ylim=(0, 0.9))
        axis.set_xlabel("labels a class", fontsize=17)
        axis.set_xticks([1, 2, 5, 10, 50, ALL], ["1", "2", "5", "10", "50", "all"])
        axis.tick_params(labelsize=16)
        axis.minorticks_off()
        axis.legend(frameon=False, loc="lower right", fontsize=16, bbox_to_anchor=(1, 0.08))
    axes[0].set_ylabel("accuracy on test", fontsize=17)
    axes[0].annotate("chance", (1, chance), xytext=(0, 4), textcoords="offset points", color="gray", fontsize=14)
    return fig


def positions(row: Mapping[str, object]) -> list[int]:
    """Positions on the axis of label budgets, for a row {labels a class: value}."""
    return [ALL if labels == "all" else int(labels) for labels in row]


def shifts(
    panels: Mapping[str, Mapping[str, Mapping[str, float]]],
    ylabel: str,
    chance: float | None = None,
    spread: Mapping[str, Mapping] | None = None,
) -> Figure:
    """Bars in a group for each kind of test patch and a colour for each method, with one panel below the other.

    panels: {title: {method: {kind: value in [0,1]}}}. spread: {title: {method: {kind: (mean, std)}}} over the ledger's
    seeds, drawn as error bars.
    """
    told = " ".join(f"{title}: {spelled(methods)}." for title, methods in panels.items())
    alt = f"Bars of {ylabel}, from 0 to 1, in a group for each kind of test patch and a bar for each method. {told}"
    fig, axes = figure(len(panels), 1, 13, 4.2 * len(panels), alt)
    for axis, (title, methods) in zip(axes, panels.items(), strict=True):
        width = 0.8 / len(methods)
        for index, (name, row) in enumerate(methods.items()):
            x = [group + (index - (len(methods) - 1) / 2) * width for group in range(len(row))]
            color, _, hatch = STYLES[name]
            axis.bar(x, list(row.values()), width, label=name, edgecolor="white", color=color, hatch=hatch)
            if by_kind := (spread or {}).get(title, {}).get(name):
                means, stds = zip(*(by_kind[kind] for kind in row), strict=True)
                axis.errorbar(x, means, stds, fmt="none", ecolor="black", elinewidth=2, capsize=4)
        if chance is not None:
            axis.axhline(chance, color="black", linestyle=":", linewidth=2, label="chance")
        axis.set(xticks=range(len(row)), xticklabels=list(row), ylim=(0, 1), ylabel=ylabel, title=title)
        axis.tick_params(labelsize=16)
    axes[0].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def budget_sliders(draw: Callable[[int, int], Figure], budgets: Sequence[int], draws: int) -> Figure | None:
    """The figure draw(labels, number) below a slider for labels a class and one for the draw of labeled samples."""
    return explore(
        draw,
        labels=Control("SelectionSlider", budgets[1], "labels a class", options=list(budgets)),
        number=Control("IntSlider", 0, "draw", min=0, max=draws - 1),
    )
