"""Lesson 4.2's figures: the effect of the temperature on similarities, what each layer tells."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional as F

from sslcourse.contrastive import similarity_logits
from sslcourse.figures import OKABE_ITO, Control, explore, figure
from sslcourse.figures.described import spelled


def temperature_matrix(v: Tensor, z: Tensor, temperature: float, row: int = 0) -> Figure:
    """Similarities of projections v (2B,d) as probabilities, and the share of each negative in pushing one row away.

    z: (2B,) the row of each row's partner, outlined. Right: the shares of the negatives in the gradient on `row`, from
    the most similar to the least; each is proportional to its probability (Wang and Liu, 2021, equation 5).
    """
    n = len(v)
    logits = similarity_logits(v, temperature)
    probability = logits.softmax(dim=1).cpu()
    loss = F.cross_entropy(logits, z).item()
    negatives = torch.ones(n, dtype=torch.bool)
    negatives[[row, int(z[row])]] = False
    shares = probability[row, negatives].sort(descending=True).values
    shares = (shares / shares.sum()).numpy()
    right_ones = probability[torch.arange(n), z.cpu()].mean()
    alt = f"""Left: a matrix of {n} x {n} views at temperature {temperature:.3g}. The colour of cell (i, j) is the
    probability that j is the partner of i. True partners are outlined: they get {right_ones:.2f} on average, and the
    loss is {loss:.2f}. Right: the share of each of {len(shares)} negatives in pushing row {row} away, as bars, the most
    similar first: {shares[0]:.2f} for the first and {shares[-1]:.2f} for the last, where equal shares would be
    {1 / len(shares):.2f}."""
    fig, (left, right) = figure(1, 2, 12, 5, alt)
    image = left.imshow(probability.numpy(), cmap="viridis", vmin=0, vmax=1)
    for i, j in enumerate(z.tolist()):
        left.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="#E69F00", linewidth=2))
    left.set(xlabel="candidate j", ylabel="row i", xticks=[0, n // 2, n - 1], yticks=[0, n // 2, n - 1])
    left.set_title(f"P(j is i's partner)\ntemperature {temperature:.3g}, loss {loss:.2f}")
    fig.colorbar(image, ax=left, shrink=0.8)
    right.bar(range(1, len(shares) + 1), shares, color=OKABE_ITO[0])
    right.axhline(1 / len(shares), color="gray", linestyle=":", linewidth=2, label="equal shares")
    right.set(xlabel="negatives, most similar first", ylabel="share of the push", ylim=(0, 1))
    right.set_title(f"Who pushes row {row} away?")
    right.legend(frameon=False)
    return fig


def temperature_slider(v: Tensor, z: Tensor) -> Figure | None:
    """The similarities of projections v (2B,d) with partners z (2B,), below a slider for the temperature."""
    slider = Control("FloatLogSlider", 0.2, "temperature", min=-2, max=1, step=0.05, readout_format=".3g")
    return explore(lambda temperature: temperature_matrix(v, z, temperature), temperature=slider)


def explained(table: Mapping[str, Mapping[str, float]]) -> Figure:
    """What each layer tells of each factor, {layer: {factor: R^2}}: a group of dots for each factor."""
    factors = list(next(iter(table.values())))
    alt = f"Share of the variance, R squared, that a linear regression explains, from 0 to 1. {spelled(table)}."
    fig, (axis,) = figure(1, 1, 11, 4, alt)
    for index, ((layer, found), marker) in enumerate(zip(table.items(), "osD^", strict=False)):
        at = [place + 0.18 * (index - 1.5) for place in range(len(factors))]
        axis.scatter(at, list(found.values()), s=130, marker=marker, color=OKABE_ITO[index], label=layer, zorder=3)
    axis.axhline(0, color="gray", linestyle=":", linewidth=2)
    axis.set(xticks=range(len(factors)), xticklabels=factors, ylabel="$R^2$ on test symbols", ylim=(-0.1, 1.02))
    axis.grid(axis="y", alpha=0.3)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def one_shot(table: Mapping[str, Mapping[str, float]]) -> Figure:
    """One-shot accuracies {method: {"same drawing, of 20": ..., ...}}: a panel for each number of symbols."""
    sizes = list(dict.fromkeys(task.split(", ")[1] for task in next(iter(table.values()))))
    alt = f"One-shot accuracy of each method, from 0 to 1, one panel for each number of symbols. {spelled(table)}."
    fig, axes = figure(1, len(sizes), 13, 1.6 + 0.55 * len(table), alt)
    for axis, size in zip(axes, sizes, strict=True):
        for drawing, marker, color in (("same drawing", "o", OKABE_ITO[0]), ("other drawing", "s", OKABE_ITO[1])):
            found = [row[f"{drawing}, {size}"] for row in table.values()]
            axis.scatter(found, range(len(table)), s=130, marker=marker, color=color, label=drawing, clip_on=False)
        axis.axvline(1 / int(size.split()[1]), color="gray", linestyle=":", linewidth=2, label="chance")
        axis.set(xlim=(0, 1), xlabel="accuracy on test", title=f"which {size} symbols?", yticks=range(len(table)))
        axis.set_yticklabels(list(table) if axis is axes[0] else [])
        axis.invert_yaxis()
        axis.grid(axis="y", alpha=0.3)
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
