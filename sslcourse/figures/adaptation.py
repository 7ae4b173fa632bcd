"""Lesson 5.1's figures: which of the known pictures is this, and what a step of training is worth."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from sslcourse.figures import OKABE_ITO, Control, explore, figure, show
from sslcourse.figures.described import listed, short, spelled

GREEN = OKABE_ITO[2]
SHOWN = 5  # known pictures beside the one that is asked for


def recognised(asked: Tensor, known: Tensor, names: Sequence[str], cosines: Tensor, right: int) -> Figure:
    """A distorted picture (1,H,W), and the known pictures (N,1,H,W) whose features are nearest, the right one framed.

    names: of the N symbols; cosines (N,): of the picture's features with each one's prototype; right: its symbol. Where
    the right one is not among the nearest five, it stands behind them with its rank.
    """
    order = cosines.argsort(descending=True).tolist()
    shown, rank = order[:SHOWN], order.index(right) + 1
    shown += [] if right in shown else [right]
    verdict = "known" if rank == 1 else f"not known (the right one has place {rank})"
    alt = f"""A distorted drawing of {names[right]}, and the {SHOWN} known pictures with the most similar features, by
    cosine: {listed(f"{names[row]} ({short(cosines[row].item())})" for row in order[:SHOWN])}. It is {verdict}."""
    fig, axes = figure(1, SHOWN + 2, 13, 2.9, alt)
    show(axes[0], asked, f"asked:\n{shortened(names[right])}")
    for axis, row in zip(axes[1:], shown, strict=False):
        show(axis, known[row], f"{shortened(names[row])}\n{cosines[row]:.2f}")
        if row == right:
            axis.spines[:].set(visible=True, color=GREEN, linewidth=5)
            axis.set_xlabel(f"right, place {rank}", color=GREEN)
    for axis in axes:
        axis.title.set_fontsize(12)
    for axis in axes[1 + len(shown) :]:
        axis.set_axis_off()
    fig.suptitle(f"The nearest known pictures, by the cosine of features: {verdict}", fontsize=15)
    return fig


def shortened(name: str, most: int = 16) -> str:
    """A name in at most so many characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def question_sliders(
    draw: Callable[[str, str, int], Figure], encoders: Sequence[str], drawings: Sequence[str], questions: int
) -> Figure | None:
    """The figure draw(encoder, drawing, question) below a choice of each, the last by a slider."""
    return explore(
        draw,
        encoder=Control("Dropdown", encoders[0], "encoder", options=list(encoders)),
        drawing=Control("Dropdown", drawings[0], "asked about the", options=list(drawings)),
        question=Control("IntSlider", 0, "question", min=0, max=questions - 1),
    )


def race(panels: Mapping[str, Mapping[str, Mapping[int, float]]], chance: float) -> Figure:
    """Accuracy over steps of training, a panel for each kind of question and a line for each start.

    panels: {question: {start: {steps: accuracy}}}. A start with one number of steps is a point.
    """
    told = "; ".join(f"{question}: {spelled(lines)}" for question, lines in panels.items())
    alt = f"Accuracy on test, from 0 to 1, over steps of training, a panel for each question (chance: {chance:.3f})."
    fig, axes = figure(1, len(panels), 13, 5.2, f"{alt} {told}.")
    for axis, (question, lines) in zip(axes, panels.items(), strict=True):
        for (name, row), color, marker in zip(lines.items(), OKABE_ITO, "osD^v", strict=False):
            axis.plot(list(row), list(row.values()), color=color, marker=marker, ms=12, label=name)
        axis.set_title(question, fontsize=18)
        axis.set_xlabel("steps of training", fontsize=17)
        axis.set(ylim=(0, 1))
        axis.tick_params(labelsize=15)
        axis.grid(axis="y", alpha=0.3)
    axes[0].set_ylabel("accuracy on test", fontsize=17)
    axes[-1].legend(frameon=False, fontsize=15, loc="lower right")
    return fig
