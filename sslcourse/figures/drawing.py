"""The plots that all lessons share, and the style of every figure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from sslcourse.figures.described import Described, course, listed, spelled
from sslcourse.measures import to_float
from sslcourse.training import History

SIDE = 28  # pixels on a digit's side
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


def figure(rows: int, columns: int, width: float, height: float, alt: str) -> tuple[Figure, list]:
    """A new figure of width x height inches, and the flat list of its rows x columns axes.

    alt: what a reader who cannot see should know: what is drawn, on which axes, and what is to be seen.
    """
    size = (width, height)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, FigureClass=Described, alt=alt)
    plt.close(fig)  # otherwise pyplot would show it a second time
    return fig, list(axes.flat)


def show(
    axis: Axes, picture: Tensor, title: str = "", cmap: str = "gray", limits: tuple[float, float] = (0, 1)
) -> None:
    """Draw a picture (C,H,W) in [0,1] without ticks.

    cmap, limits: the colour map of a picture with one channel, and the values at its two ends.
    """
    axis.imshow(picture.cpu().permute(1, 2, 0).squeeze(-1).numpy(), cmap=cmap, vmin=limits[0], vmax=limits[1])
    axis.set(xticks=[], yticks=[], title=title)
    axis.spines[:].set_visible(False)


def pictures(
    batches: Mapping[str, Tensor], columns: int | None = None, captions: Sequence[str] = (), alt: str = ""
) -> Figure:
    """One row of pictures for each named batch (B,C,H,W), uint8 or float in [0,1]; captions are titles of columns.

    alt: what is to be seen in them, where there is more to say than their names.
    """
    columns = columns or min(len(batch) for batch in batches.values())
    names = "; ".join(" ".join(name.split()) for name in batches)
    told = f"{len(batches)} row{'s' if len(batches) > 1 else ''} of {columns} pictures: {names}."
    told += f" Above them: {listed(captions)}." if captions else ""
    fig, axes = figure(len(batches), columns, 1.15 * columns + 1.6, 1.2 * len(batches), f"{told} {alt}")
    for row, (name, batch) in enumerate(batches.items()):
        for column, image in enumerate(to_float(batch[:columns]).cpu()):
            axis = axes[row * columns + column]
            show(axis, image)
        axes[row * columns].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=14)
    for axis, caption in zip(axes, captions, strict=False):
        axis.set_title(caption, fontsize=12)
    return fig


def training(histories: Mapping[str, History]) -> Figure:
    """The loss and the two collapse meters over epochs, with a line for each named history."""
    meters = {"pretext loss": "loss", "std": "std", "effective rank": "rank"}
    told = [
        f"{name}: " + ", ".join(f"{meter} {course(getattr(history, values))}" for meter, values in meters.items())
        for name, history in histories.items()
    ]
    fig, axes = figure(1, 3, 13, 3.6, f"The pretext loss and two collapse meters over epochs. {'; '.join(told)}.")
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
    return fig


def band(axis: Axes, x: Sequence, spread: Iterable[tuple[float, float]], color: str) -> None:
    """Shade mean ± std over x, for (mean, std) at each x."""
    low, high = zip(*((mean - std, mean + std) for mean, std in spread), strict=True)
    axis.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)


def accuracies(
    table: Mapping[str, Mapping[str, float]],
    chance: float,
    title: str = "",
    spread: Mapping[str, Mapping] | None = None,
) -> Figure:
    """Test accuracies as dots, with a row for each method and a colour for each column.

    table: {method: {column: accuracy}}. spread: {method: {column: (mean, std)}} over the ledger's seeds, drawn as a bar
    below the dot.
    """
    alt = f"Accuracies on test as dots, from 0 to 1 (chance: {chance:.2f}){title and ', ' + title}. {spelled(table)}."
    fig, (axis,) = figure(1, 1, 10, 1.4 + (0.75 if spread else 0.5) * len(table), alt)
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    markers = "osD^v"
    for index, column in enumerate(columns):
        points = [(row[column], y) for y, row in enumerate(table.values()) if column in row]
        axis.scatter(*zip(*points, strict=True), s=130, marker=markers[index], label=column, zorder=3, clip_on=False)
        for y, method in enumerate(table if spread else ()):
            if mean_std := spread.get(method, {}).get(column):
                mean, std = mean_std
                style = {"color": OKABE_ITO[index], "capsize": 6, "elinewidth": 2.5}
                axis.errorbar(mean, y + 0.25 + 0.13 * index, xerr=std, fmt="|", ms=10, **style)
    axis.axvline(chance, color="gray", linestyle=":", linewidth=2)
    axis.annotate("chance", (chance, -0.6), xytext=(4, 0), textcoords="offset points", color="gray", va="center")
    axis.set(yticks=range(len(table)), yticklabels=list(table), xlim=(0, 1), title=title)
    axis.set_xlabel("accuracy on test" + ("; bars: mean ± spread over seeds" if spread else ""))
    axis.set_ylim(len(table) - 0.5, -0.9)
    axis.grid(axis="y", alpha=0.3)
    if len(columns) > 1:
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def confusion(
    panels: Mapping[str, tuple[Tensor, Sequence[str], str]],
    rows: Sequence[str],
    ylabel: str,
    limits: tuple[float, float] = (0, 1),
    fontsize: int = 12,
) -> Figure:
    """Matrices of shares in [0,1], with the number in each cell and the matrices side by side.

    panels: {title: (matrix (R,C), names of its C columns, label of the horizontal axis)}. rows: names of the R rows.
    limits: the values of the darkest and of the lightest colour. fontsize: of the numbers.
    """
    margin = 0.8 + 0.12 * max(map(len, rows))  # inches for the row names beside a matrix
    widths = [margin + len(columns) * max(0.72, 0.13 * max(map(len, columns))) for _, columns, _ in panels.values()]
    size = (sum(widths), 0.55 * len(rows) + 1.4)
    look = {"figsize": size, "width_ratios": widths, "squeeze": False, "alt": confusion_told(panels, rows, ylabel)}
    fig, axes = plt.subplots(1, len(panels), FigureClass=Described, **look)
    plt.close(fig)
    for axis, (title, (matrix, columns, xlabel)) in zip(axes.flat, panels.items(), strict=True):
        axis.imshow(matrix.numpy(), cmap="cividis", vmin=limits[0], vmax=limits[1], aspect="auto")
        for i, row in enumerate(matrix.tolist()):
            for j, share in enumerate(row):
                style = {"color": "black" if share > sum(limits) / 2 else "white", "fontsize": fontsize}
                axis.text(j, i, f"{share:.2f}".replace("0.", "."), ha="center", va="center", **style)
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axis.set(xticks=range(len(columns)), xticklabels=columns, yticks=range(len(rows)), yticklabels=rows)
        axis.spines[:].set_visible(False)
    return fig


def confusion_told(panels: Mapping[str, tuple[Tensor, Sequence[str], str]], names: Sequence[str], ylabel: str) -> str:
    """The alternative text of `confusion`: every number, row by row."""
    told = []
    for title, (matrix, columns, xlabel) in panels.items():
        table = {name: dict(zip(columns, row, strict=True)) for name, row in zip(names, matrix.tolist(), strict=True)}
        told.append(f"{title}, {listed(filter(None, (ylabel, xlabel)))}: {spelled(table)}.")
    return f"Matrices of shares, from 0 to 1. {' '.join(told)}"


def filters(weights: Mapping[str, Tensor], rows: int = 1, every: int = 1, columns: int = 12) -> Figure:
    """The columns of largest norm of each named weight matrix W (784,H), as pictures.

    Orange pixels turn a hidden unit on, purple ones turn it off; each picture has a colour scale of its own.
    rows: rows of pictures for each matrix; every=10 takes each tenth unit in the order of norms.
    """
    names = listed(weights) or "one network"
    alt = f"The weights of {rows * columns} hidden units of {names}, each as a picture of {SIDE} x {SIDE} pixels."
    alt += " Orange pixels turn a unit on, purple ones turn it off; units with the longest weight vectors come first."
    fig, axes = figure(rows * len(weights), columns, 1.15 * columns + 1.6, 1.25 * rows * len(weights), alt)
    axes_left = iter(axes)
    for name, W in weights.items():
        longest = W.norm(dim=0).argsort(descending=True)[: rows * columns * every : every]
        for number, unit in enumerate(longest.tolist()):
            axis, w = next(axes_left), W[:, unit].detach().cpu()
            limit = w.abs().max().item()
            show(axis, w.view(1, SIDE, SIDE), cmap="PuOr_r", limits=(-limit, limit))
            if number == 0:
                axis.set_ylabel(name, rotation=0, ha="right", va="center")
    return fig
