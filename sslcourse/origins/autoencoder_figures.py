"""Lesson 2.2's figures: maps of 2-D codes, a walk through one, the grid of runs, errors side by side."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from sslcourse.plots import OKABE_ITO, figure

SIDE = 28  # pixels on a digit's side
# Ten classes are more than a palette can tell apart without colour vision, so each sample is drawn as its numeral.
TEN = (*OKABE_ITO, "#7F7F7F", "#8B4513", "#4B0082")


def scatter(axis: Axes, codes: Tensor, y: Tensor) -> None:
    """Codes (N,2) as coloured numerals of their labels y (N,), cut at the outermost hundredth on each side."""
    low, high = codes.quantile(codes.new_tensor([[0.005], [0.995]]).flatten(), dim=0)
    for label in y.unique().tolist():
        of_class = codes[y == label]
        axis.scatter(*of_class.T.tolist(), marker=f"${label}$", s=45, linewidths=0.3, color=TEN[label], alpha=0.8)
    margin = 0.06 * (high - low)
    axis.set(xlabel="code 1", ylabel="code 2")
    axis.set_xlim((low - margin)[0].item(), (high + margin)[0].item())
    axis.set_ylim((low - margin)[1].item(), (high + margin)[1].item())


def maps(codes: Mapping[str, Tensor], y: Tensor) -> Figure:
    """2-D codes (N,2) of the same labeled samples y (N,), one panel for each named encoder."""
    made, axes = figure(1, len(codes), 7 * len(codes), 6)
    for axis, (name, found) in zip(axes, codes.items(), strict=True):
        scatter(axis, found.cpu(), y.cpu())
        axis.set_title(name)
    return made


@torch.no_grad()
def walk(decoder: nn.Module, codes: Tensor, y: Tensor, code_1: float, code_2: float) -> Figure:
    """Where (code_1, code_2) lies among codes (N,2) of samples y (N,), and the digit that the decoder draws there."""
    made, (left, right) = figure(1, 2, 12, 5.6)
    scatter(left, codes.cpu(), y.cpu())
    left.plot(code_1, code_2, "o", markersize=20, markerfacecolor="none", markeredgecolor="black", markeredgewidth=3.5)
    left.set_title("test digits by code; the ring: here")
    here = torch.tensor([[code_1, code_2]], device=next(decoder.parameters()).device)
    drawn = decoder(here).sigmoid()
    picture(right, drawn[0], f"the decoder draws ({code_1:.1f}, {code_2:.1f})")
    return made


def picture(axis: Axes, pixels: Tensor, title: str = "") -> None:
    """Pixels (D,) in [0,1] as a picture."""
    axis.imshow(pixels.view(SIDE, SIDE).cpu().numpy(), cmap="gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[], title=title)


def errors(groups: Mapping[str, Mapping[str, float]], reference: Mapping[str, float], title: str = "") -> Figure:
    """Dots of squared error per image, a row for each method, a marker for each column; dotted lines: references."""
    made, (axis,) = figure(1, 1, 11, 1.7 + 0.5 * len(groups))
    columns = list(dict.fromkeys(name for row in groups.values() for name in row))
    for index, column in enumerate(columns):
        found = [(row[column], place) for place, row in enumerate(groups.values()) if column in row]
        axis.scatter(*zip(*found, strict=True), s=130, marker="os^D"[index], color=OKABE_ITO[index], label=column)
    for name, value in reference.items():
        axis.axvline(value, color="gray", linestyle=":", linewidth=2)
        axis.annotate(name, (value, -0.75), xytext=(4, 0), textcoords="offset points", color="#555555", va="center")
    axis.set(yticks=range(len(groups)), yticklabels=list(groups), xlabel="squared error per test image", title=title)
    axis.set_ylim(len(groups) - 0.5, -1.1)
    axis.set_xlim(left=0)
    axis.grid(axis="y", alpha=0.3)
    if len(columns) > 1:
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return made


def losses(runs: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Loss over epochs, a panel for each optimiser and a line for each initialisation: {optimiser: {init: losses}}."""
    made, axes = figure(1, len(runs), 6.5 * len(runs), 4.2)
    top = max(value for lines in runs.values() for values in lines.values() for value in values)
    for axis, (title, lines) in zip(axes, runs.items(), strict=True):
        for index, (name, values) in enumerate(lines.items()):
            axis.plot(range(1, len(values) + 1), values, "os^D"[index] + "-", markevery=4, label=name)
        axis.set(title=title, xlabel="epoch", ylim=(0, 1.05 * top))
    axes[0].set_ylabel("loss (nats an image)")
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return made


def filters(columns: Mapping[str, Tensor], count: int = 12) -> Figure:
    """Rows of the first layer's weights (H,784), the longest of every tenth: what these hidden units look for."""
    made, axes = figure(len(columns), count, 1.15 * count + 1.6, 1.25 * len(columns))
    for row, (name, weight) in enumerate(columns.items()):
        longest = weight.norm(dim=1).argsort(descending=True)[: 10 * count : 10]
        for column, unit in enumerate(longest.tolist()):
            axis, w = axes[row * count + column], weight[unit].detach().cpu()
            limit = w.abs().max().item()
            axis.imshow(w.view(SIDE, SIDE).numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axes[row * count].set_ylabel(name, rotation=0, ha="right", va="center")
    return made
