"""Lesson 3.1's figures: which of four turns a network predicts for a picture turned by any angle."""

from collections.abc import Callable, Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sslcourse.augment import functional
from sslcourse.figures import OKABE_ITO, Control, explore, figure, show
from sslcourse.figures.described import listed

ANGLES = torch.arange(0, 361, 5.0)


def turned(pictures: Tensor, answer: Callable, degrees: float, picture: int) -> Figure:
    """A picture turned counter-clockwise by any angle, and the probabilities that a network gives the four turns.

    pictures: (N,C,H,W) float, of which number `picture` is turned; answer: pictures -> probabilities (N,4). Right: the
    probabilities at all angles.
    """
    original = pictures[picture % len(pictures)]
    rotated = functional.rotate(original[None], torch.tensor([float(degrees)]))
    said = {f"{90 * turn}°": share for turn, share in enumerate(answer(rotated)[0].tolist())}
    told = listed(f"{name} {share:.2f}" for name, share in said.items())
    alt = f"""Left: picture {picture}, turned by {degrees:g} degrees. Middle: the probabilities that the network gives
    the four turns, {told}. Right: these probabilities over all angles from 0 to 360 degrees, a curve for each turn."""
    fig, (left, middle, right) = figure(1, 3, 15, 4.4, alt)
    show(left, rotated[0], f"turned by {degrees:g} degrees")
    middle.bar(list(said), list(said.values()), color=OKABE_ITO[:4])
    middle.set(ylim=(0, 1), xlabel="turn z", ylabel="P(z | picture)", title="what the network says")
    at_all_angles(right, original, answer, "at all angles")
    right.axvline(degrees, color="gray")
    right.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title="turn z")
    return fig


def at_all_angles(axis: Axes, picture: Tensor, answer: Callable, title: str) -> None:
    """Draw the probabilities of the four turns for a picture (C,H,W) turned by each of ANGLES, with a line a turn."""
    probability = answer(functional.rotate(picture.expand(len(ANGLES), -1, -1, -1), ANGLES))
    for turn, dashes in enumerate(("-", "--", "-.", ":")):
        axis.plot(ANGLES, probability[:, turn], color=OKABE_ITO[turn], linestyle=dashes, label=f"{90 * turn}°")
    axis.set(ylim=(0, 1.03), xlim=(0, 360), xticks=range(0, 361, 45), xlabel="turned by (degrees)", title=title)


def turned_beside(pictures: Mapping[str, Tensor], answer: Callable) -> Figure:
    """The probabilities of the four turns at all angles, with a panel for each named picture (C,H,W); see `turned`."""
    alt = f"""The probabilities of the four turns 0°, 90°, 180° and 270°, a curve for each, over the angle by which a
    picture is turned. A panel for each picture: {listed(pictures)}."""
    fig, axes = figure(1, len(pictures), 5 * len(pictures), 4, alt)
    for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
        at_all_angles(axis, picture, answer, name)
    axes[0].set_ylabel("P(z | picture)")
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title="turn z")
    return fig


def turned_sliders(pictures: Tensor, answer: Callable, picture: int = 0) -> Figure | None:
    """The figure `turned` below a slider for the angle and one for the picture, at first number `picture`.

    pictures: (N,C,H,W) float; answer: pictures -> probabilities of the four turns (N,4).
    """
    return explore(
        lambda degrees, picture: turned(pictures, answer, degrees, picture),
        degrees=Control("IntSlider", 0, "degrees", min=0, max=360, step=5),
        picture=Control("IntSlider", picture, "picture", min=0, max=len(pictures) - 1),
    )
