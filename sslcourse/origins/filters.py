"""What hidden units look for: their weights as pictures (lessons 2.1 and 2.2)."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from sslcourse.plots import figure

SIDE = 28  # pixels on a digit's side


def filters(weights: Mapping[str, Tensor], rows: int = 1, every: int = 1, columns: int = 12) -> Figure:
    """The longest columns of each named W (784,H) as pictures, some rows for each: orange pixels turn a unit on.

    Purple pixels turn it off; every picture has its own scale. every=10 takes each tenth of the units, longest first.
    """
    made, axes = figure(rows * len(weights), columns, 1.15 * columns + 1.6, 1.25 * rows * len(weights))
    places = iter(axes)
    for name, W in weights.items():
        longest = W.norm(dim=0).argsort(descending=True)[: rows * columns * every : every]
        for number, unit in enumerate(longest.tolist()):
            axis, w = next(places), W[:, unit].detach().cpu()
            limit = w.abs().max().item()
            axis.imshow(w.view(SIDE, SIDE).numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if number == 0:
                axis.set_ylabel(name, rotation=0, ha="right", va="center")
    return made
