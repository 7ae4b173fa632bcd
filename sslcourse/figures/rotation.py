"""Lesson 3.1's figures: what a network of four turns says of a turned picture."""

from collections.abc import Callable, Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sslcourse.augment import functional
from sslcourse.figures import OKABE_ITO, Control, explore, figure, show

ANGLES = torch.arange(0, 361, 5.0)


def turned(pictures: Tensor, answer: Callable, degrees: float, picture: int) -> Figure:
    """A picture turned by any angle, counter-clockwise, and what a network of four turns says of it.

    pictures (N,C,H,W) float; answer: pictures -> probabilities (N,4). Right: its answers at all angles.
    """
    chosen = pictures[picture % len(pictures)]
    shown = functional.rotate(chosen[None], torch.tensor([float(degrees)]))
    made, (left, middle, right) = figure(1, 3, 15, 4.4)
    show(left, shown[0], f"turned by {degrees:g} degrees")
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


def turned_sliders(pictures: Tensor, answer: Callable, picture: int = 0) -> Figure | None:
    """Sliders that turn one of the pictures (N,C,H,W), and choose it, at first number `picture`.

    answer: pictures -> probabilities of the four turns (N,4).
    """
    return explore(
        lambda degrees, picture: turned(pictures, answer, degrees, picture),
        degrees=Control("IntSlider", 0, "degrees", min=0, max=360, step=5),
        picture=Control("IntSlider", picture, "picture", min=0, max=len(pictures) - 1),
    )
