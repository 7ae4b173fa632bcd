"""Figures: readable at the back of a lecture hall, and without colour vision (Okabe and Ito's palette)."""

from collections.abc import Mapping

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.nn import functional as F

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


def pictures(batches: Mapping[str, Tensor], columns: int | None = None) -> Figure:
    """One row of pictures for each named batch (B,C,H,W), uint8 or float in [0,1]."""
    columns = columns or min(len(batch) for batch in batches.values())
    made, axes = figure(len(batches), columns, 1.15 * columns + 1.6, 1.2 * len(batches))
    for row, (name, batch) in enumerate(batches.items()):
        for column, image in enumerate(to_float(batch[:columns]).cpu()):
            axis = axes[row * columns + column]
            axis.imshow(image.permute(1, 2, 0).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axes[row * columns].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=14)
    return made


def training(histories: Mapping[str, History]) -> Figure:
    """Loss and the two collapse meters over epochs, a line for each named history."""
    made, axes = figure(1, 3, 13, 3.6)
    titles = ("pretext loss (nats)", "std (0: collapsed)", "effective rank (1: collapsed)")
    for axis, title, values in zip(axes, titles, ("loss", "std", "rank"), strict=True):
        for name, history in histories.items():
            series = getattr(history, values)
            axis.plot(range(1, len(series) + 1), series, marker="o", label=name)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_ylim(bottom=0)
    if len(histories) > 1:
        axes[0].legend(frameon=False)
    return made


def accuracies(table: Mapping[str, Mapping[str, float]], chance: float, title: str = "") -> Figure:
    """Dots of test accuracy, a row for each method and a colour for each column: {method: {labels: accuracy}}."""
    made, (axis,) = figure(1, 1, 10, 1.4 + 0.5 * len(table))
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    markers = "osD^v"
    for index, column in enumerate(columns):
        found = [(row[column], place) for place, row in enumerate(table.values()) if column in row]
        x, y = zip(*found, strict=True)
        axis.scatter(x, y, s=130, marker=markers[index], label=column, zorder=3)
    axis.axvline(chance, color="gray", linestyle=":", linewidth=2)
    axis.annotate("chance", (chance, -0.6), xytext=(4, 0), textcoords="offset points", color="gray", va="center")
    axis.set(yticks=range(len(table)), yticklabels=list(table), xlim=(0, 1), xlabel="accuracy on test", title=title)
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
