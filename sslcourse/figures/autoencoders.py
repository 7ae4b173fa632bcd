"""Lesson 2.2's figures: maps of 2-D codes, a walk through one of them, squared errors, and training runs."""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from torch import Tensor, nn

from sslcourse.figures import OKABE_ITO, Control, explore, figure, show
from sslcourse.figures.described import course, listed, short, spelled
from sslcourse.figures.drawing import SIDE
from sslcourse.training import History

# Ten classes are more than a palette can tell apart without colour vision, so each sample is drawn as its numeral.
COLORS = (*OKABE_ITO, "#7F7F7F", "#8B4513", "#4B0082")
TICKS = (1, 2, 5, 10, 12, 15, 20, 30, 50, 100)  # of a logarithmic axis of errors


def scatter(axis: Axes, codes: Tensor, y: Tensor) -> None:
    """Draw codes (N,2) as coloured numerals of their labels y (N,); the axes leave out 0.5 % of them on each side."""
    low, high = codes.quantile(codes.new_tensor([[0.005], [0.995]]).flatten(), dim=0)
    for label in y.unique().tolist():
        of_class = codes[y == label]
        axis.scatter(*of_class.T.tolist(), marker=f"${label}$", s=45, linewidths=0.3, color=COLORS[label], alpha=0.8)
    margin = 0.06 * (high - low)
    axis.set(xlabel="code 1", ylabel="code 2")
    axis.set_xlim((low - margin)[0].item(), (high + margin)[0].item())
    axis.set_ylim((low - margin)[1].item(), (high + margin)[1].item())


def maps(codes: Mapping[str, Tensor], y: Tensor) -> Figure:
    """Codes (N,2) of the same samples with labels y (N,), with a panel for each named encoder."""
    alt = f"""Maps of two-dimensional codes by {listed(codes)}, side by side: code 1 to the right, code 2 upwards. Each
    sample is drawn as the numeral of its class, so that one sees which classes lie apart and which overlap."""
    fig, axes = figure(1, len(codes), 7 * len(codes), 6, alt)
    for axis, (name, plane) in zip(axes, codes.items(), strict=True):
        scatter(axis, plane.cpu(), y.cpu())
        axis.set_title(name)
    return fig


@torch.no_grad()
def walk(decoder: nn.Module, codes: Tensor, y: Tensor, code_1: float, code_2: float) -> Figure:
    """A code (code_1, code_2) among codes (N,2) of labels y (N,), and the digit that the decoder draws from it."""
    alt = f"""Left: the two-dimensional codes of test digits, each drawn as the numeral of its class, with a ring at
    ({code_1:.1f}, {code_2:.1f}). Right: the digit that the decoder draws from this code."""
    fig, (left, right) = figure(1, 2, 12, 5.6, alt)
    scatter(left, codes.cpu(), y.cpu())
    left.plot(code_1, code_2, "o", markersize=20, markerfacecolor="none", markeredgecolor="black", markeredgewidth=3.5)
    left.set_title("test digits by code; the ring: here")
    code = torch.tensor([[code_1, code_2]], device=next(decoder.parameters()).device)
    digit = decoder(code).sigmoid()
    show(right, digit.view(1, SIDE, SIDE), f"the decoder draws ({code_1:.1f}, {code_2:.1f})")
    return fig


def errors(groups: Mapping[str, Mapping[str, float]], reference: Mapping[str, float], title: str = "") -> Figure:
    """Squared errors per image as dots, with a row for each method and a colour for each column.

    groups: {method: {column: error}}; reference: {name: error}, drawn as dotted lines. The axis is logarithmic, so that
    small differences between good methods can be seen beside large ones.
    """
    lines = listed(f"{name} {short(value)}" for name, value in reference.items())
    alt = f"Squared errors per test image as dots on a logarithmic axis{title and ', ' + title}. {spelled(groups)}."
    fig, (axis,) = figure(1, 1, 11, 1.7 + 0.6 * len(groups), f"{alt} Dotted lines: {lines}.")
    columns = list(dict.fromkeys(name for row in groups.values() for name in row))
    for index, column in enumerate(columns):
        points = [(row[column], y) for y, row in enumerate(groups.values()) if column in row]
        color = OKABE_ITO[index]
        axis.scatter(*zip(*points, strict=True), s=130, marker="os^D"[index], color=color, label=column, zorder=3)
        for value, y in points:
            above = index % 2 == 0  # values of the next column stand below, so that equal ones do not overlap
            side = {"xytext": (0, 10 if above else -10), "va": "bottom" if above else "top", "ha": "center"}
            axis.annotate(f"{value:.1f}", (value, y), textcoords="offset points", color=color, fontsize=12, **side)
    for name, value in reference.items():
        axis.axvline(value, color="gray", linestyle=":", linewidth=2)
        label = f"{name} {value:.1f}"
        axis.annotate(label, (value, -0.85), xytext=(4, 0), textcoords="offset points", color="#555555", va="center")
    values = [*reference.values(), *(value for row in groups.values() for value in row.values())]
    low, high = 0.85 * min(values), 1.35 * max(values)
    axis.set(xscale="log", xlim=(low, high), title=title)
    axis.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if low <= tick <= high]))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set(yticks=range(len(groups)), yticklabels=list(groups), xlabel="squared error per test image (logarithmic)")
    axis.set_ylim(len(groups) - 0.4, -1.2)
    axis.grid(axis="y", alpha=0.3)
    if len(columns) > 1:
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def runs(histories: Mapping[str, Mapping[str, History]]) -> Figure:
    """The loss, and below it the collapse meter std, over epochs: {optimiser: {initialisation: history}}.

    There is a column for each optimiser and a line for each initialisation.
    """
    told = [
        f"{optimiser}, {name}: loss {course(history.loss)}, std {course(history.std)}"
        for optimiser, lines in histories.items()
        for name, history in lines.items()
    ]
    alt = f"The loss and, below it, the spread of the codes (std) over epochs. {'; '.join(told)}."
    fig, axes = figure(2, len(histories), 6.5 * len(histories), 7, alt)
    titles = {"loss": "loss (nats an image)", "std": "std of codes (0: collapsed)"}
    for row, (measure, title) in enumerate(titles.items()):
        curves = [getattr(history, measure) for lines in histories.values() for history in lines.values()]
        for column, (optimiser, lines) in enumerate(histories.items()):
            axis = axes[row * len(histories) + column]
            for index, (name, history) in enumerate(lines.items()):
                series = getattr(history, measure)
                axis.plot(range(1, len(series) + 1), series, "os^D"[index] + "-", markevery=4, label=name)
            axis.set(title=optimiser, xlabel="epoch", ylim=(0, 1.08 * max(map(max, curves))))
        axes[row * len(histories)].set_ylabel(title)
    axes[len(histories) - 1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def walk_sliders(decoder: nn.Module, codes: Tensor, y: Tensor) -> Figure | None:
    """The walk through codes (N,2) of labels y (N,), below a slider for each of the two numbers of a code."""

    def slider(axis: int) -> Control:
        low, high = codes[:, axis].quantile(codes.new_tensor([0.01, 0.99])).tolist()
        span = {"min": low, "max": high, "step": (high - low) / 40, "layout": {"width": "60%"}}
        return Control("FloatSlider", (low + high) / 2, f"code {axis + 1}", readout_format=".2f", **span)

    return explore(lambda code_1, code_2: walk(decoder, codes, y, code_1, code_2), code_1=slider(0), code_2=slider(1))
