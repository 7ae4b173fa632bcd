"""Lesson 2.1's figures: a Gibbs chain, free energies, the parts of the likelihood, gradients, and the errors of AIS."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sslcourse.figures import OKABE_ITO, Control, explore, figure, show
from sslcourse.figures.described import course, listed, short
from sslcourse.figures.drawing import SIDE
from sslcourse.origins.rbm import RBM


def walk(rbm: RBM, start: Tensor, steps: int, seed: int = 0) -> Tensor:
    """The visible units of a Gibbs chain that starts at start (D,), at each step: (steps + 1, D)."""
    generator = torch.Generator(start.device).manual_seed(seed)
    states = [start[None]]
    for _ in range(steps):
        states.append(rbm.sample(states[-1], 1, generator))
    return torch.cat(states)


def chain(rbm: RBM, states: Tensor, steps: int) -> Figure:
    """A Gibbs chain, states (T,D), after some steps: v, p(h | v), p(v | h) for a drawn h, and F(v) of every state."""
    v = states[steps : steps + 1]
    p_h = rbm(v)
    h = (torch.rand(p_h.shape, generator=torch.Generator().manual_seed(steps)) < p_h.cpu()).to(p_h)
    energy = rbm.free_energy(states).cpu()
    alt = f"""A Gibbs chain at step {steps} of {len(states) - 1}. Three pictures: the visible units v; the probability
    of each of {rbm.dim} hidden units given v, above one half for {(p_h > 0.5).sum()} of them; the probabilities of v
    given hidden units drawn from these. A curve: the free energy of v by step, {course(energy.tolist())} nats; at this
    step {short(energy[steps].item())}."""
    fig, axes = figure(1, 4, 15, 3.9, alt)
    height = next(n for n in range(int(rbm.dim**0.5), 0, -1) if rbm.dim % n == 0)
    pictures = {
        f"v at step {steps}": v.view(1, SIDE, SIDE),
        f"p(h | v), {rbm.dim} units": p_h.view(1, height, -1),
        "p(v | h), h drawn": torch.sigmoid(h @ rbm.W.T + rbm.b).view(1, SIDE, SIDE),
    }
    for axis, (title, picture) in zip(axes, pictures.items(), strict=False):
        show(axis, picture, title)
    axes[3].plot(energy, color=OKABE_ITO[0])
    axes[3].plot(steps, energy[steps], "o", color=OKABE_ITO[1], markersize=12)
    axes[3].set(title="F(v) by step (nats)", xlabel="Gibbs steps")
    return fig


def free_energies(groups: Mapping[str, Tensor], machine: str) -> Figure:
    """Histograms of free energies (N,) in nats under a machine of this name, with a colour for each named group."""
    means = listed(f"{name} {short(values.mean().item())}" for name, values in groups.items())
    alt = f"Histograms of the free energy F(v) in nats on {machine}; low is likely. Means: {means}."
    fig, (axis,) = figure(1, 1, 12, 4, alt)
    energies = torch.cat(list(groups.values()))
    bins = torch.linspace(energies.min().item(), energies.max().item(), 80).tolist()
    for index, (name, values) in enumerate(groups.items()):
        share = [1 / len(values)] * len(values)
        axis.hist(values.tolist(), bins=bins, weights=share, color=OKABE_ITO[index], alpha=0.75, label=name)
    axis.set(xlabel="free energy F(v), nats (left: the machine finds it likely)", title=f"free energies on {machine}")
    axis.set_ylabel("share of the pictures")
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def curves(axis: Axes, lines: Mapping[str, Sequence[float]], names: Sequence[str], first: int = 0) -> None:
    """One line for each named series over first, first + 1 and so on; its place among the names gives it its colour."""
    for name, values in lines.items():
        style = {"marker": "os^Dv"[names.index(name)], "color": OKABE_ITO[names.index(name)], "markersize": 7}
        axis.plot(range(first, first + len(values)), values, label=name, **style)


def phases(quantities: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Quantities in nats over epochs, {quantity: {run: values from epoch 0}}: a panel for each, a line for each run.

    The vertical axis, the same in all panels, is linear between -100 and 100 and logarithmic beyond.
    """
    told = "; ".join(
        f"{quantity}, {run}: {course(values)}" for quantity, runs in quantities.items() for run, values in runs.items()
    )
    fig, axes = figure(1, len(quantities), 4.8 * len(quantities), 4.2, f"Lines over epochs, in nats. {told}.")
    for axis, (title, lines) in zip(axes, quantities.items(), strict=True):
        curves(axis, lines, list(lines))
        axis.set_yscale("symlog", linthresh=100)
        ticks = [-100_000, -10_000, -1000, -100, 0, 100]
        axis.set(title=title, xlabel="epoch", ylim=(-200_000, 150), yticks=ticks)
        axis.set_yticklabels([f"{tick:,}" for tick in ticks])
        axis.axhline(0, color="gray", linewidth=1)
    axes[0].set_ylabel("nats")
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def gradients(likelihoods: Mapping[str, Sequence[float]], cosines: Mapping[str, Sequence[float]], path: str) -> Figure:
    """Left, log p(v) of test digits over epochs from 0, by update; right, cosines with the exact gradient from epoch 1.

    path: the update along whose training the cosines were taken.
    """
    left = "; ".join(f"{name} {course(values)}" for name, values in likelihoods.items())
    right = "; ".join(f"{name} {course(values)}" for name, values in cosines.items())
    alt = f"Left: exact log p of test digits over epochs, in nats: {left}. Right: the cosine of three updates with the "
    fig, axes = figure(1, 2, 15, 4.6, f"{alt}exact gradient while {path} trains: {right}.")
    names = list(dict.fromkeys([*likelihoods, *cosines]))
    curves(axes[0], likelihoods, names)
    axes[0].set(title="where training gets to", xlabel="epoch", ylabel="log p(test digits), nats")
    curves(axes[1], cosines, names, first=1)
    axes[1].axhline(0, color="gray", linewidth=1)
    axes[1].set(title=f"while {path} trains", xlabel="epoch", ylabel="cosine with exact gradient", ylim=(-0.3, 1.1))
    for axis in axes:
        axis.legend(frameon=False)
    return fig


def annealing(errors: Mapping[str, Mapping[str, Mapping[int, Sequence[float]]]]) -> Figure:
    """Errors of log Z as AIS estimates it, in nats: {machine: {start: {annealing steps: errors of the repeats}}}."""
    told = [
        f"{machine}, from {start}: "
        + listed(f"{short(sum(found) / len(found))} with {steps} steps" for steps, found in by_steps.items())
        for machine, starts in errors.items()
        for start, by_steps in starts.items()
    ]
    alt = f"Errors of log Z as AIS estimates it, in nats, over annealing steps. Means: {'; '.join(told)}."
    fig, axes = figure(1, len(errors), 6.5 * len(errors), 4.2, alt)
    for axis, (machine, starts) in zip(axes, errors.items(), strict=True):
        axis.axhspan(-0.5, 0.5, color=OKABE_ITO[2], alpha=0.25, label="within half a nat")
        for index, (start, by_steps) in enumerate(starts.items()):
            points = [(steps, error) for steps, repeats in by_steps.items() for error in repeats]
            x, y = zip(*points, strict=True)
            axis.plot(x, y, "os"[index], color=OKABE_ITO[index], markersize=9, alpha=0.7, label=f"from {start}")
        axis.set(xscale="log", xlabel="annealing steps", title=machine)
        axis.set_yscale("symlog", linthresh=1)
        axis.set_ylim(-300, 3)
        axis.set_yticks([-100, -10, -1, 0, 1], ["-100", "-10", "-1", "0", "1"])
    axes[0].set_ylabel("estimate - exact log Z (nats)")
    axes[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def gibbs_slider(rbm: RBM, starts: Mapping[str, Tensor], steps: int = 200, step: int = 1) -> Figure | None:
    """The Gibbs chain of an RBM below a choice of its start and a slider for its steps.

    starts: {name: v (D,)}, each the start of one chain of so many steps. step: the slider's first value, and so that of
    the figure that stays where no kernel runs.
    """
    chains = {name: walk(rbm, v, steps) for name, v in starts.items()}
    return explore(
        lambda start, steps: chain(rbm, chains[start], steps),
        start=Control("Dropdown", next(iter(starts)), "start from", options=list(starts)),
        steps=Control("IntSlider", step, "Gibbs steps", min=0, max=steps, layout={"width": "60%"}),
    )
