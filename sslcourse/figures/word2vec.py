"""Lesson 2.3's figures: words that occur together, analogies, noise distributions, and directions between words."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from sslcourse.errors import CourseError
from sslcourse.figures import OKABE_ITO, Control, explore, figure
from sslcourse.figures.described import listed
from sslcourse.origins.word2vec import cooccurrences
from sslcourse.origins.word_questions import Lexicon

SHOWN = 10  # words listed in a panel


def companions(words: Tensor, verse: Tensor, vocabulary: Sequence[str], chosen: Sequence[str], window: int) -> Figure:
    """The words that occur within a window around each chosen word more often than by chance.

    words, verse: (T,) a corpus as one stream. Listed are the words with the largest part in the log-likelihood ratio,
    which leaves out accidents of rare words; those listed for every chosen word are orange squares.
    CourseError for a word that is not in the corpus.
    """
    by_chance = words.bincount(minlength=len(vocabulary)) / len(words)
    lists = []
    for word in chosen:
        if word not in vocabulary:
            raise CourseError(f"The word {word!r} is not in the corpus.")
        counts = cooccurrences(words, verse, vocabulary.index(word), window, len(vocabulary))
        ratio = counts / counts.sum() / by_chance.clamp(min=1e-9)
        best = (counts * ratio.clamp(min=1e-9).log()).topk(SHOWN).indices
        best = best[ratio[best].argsort(descending=True, stable=True)].tolist()
        lists.append({vocabulary[token]: ratio[token].item() for token in best})
    common = set.intersection(*map(set, lists))
    told = " ".join(f'Near "{word}": {listed(near)}.' for word, near in zip(chosen, lists, strict=True))
    alt = f"Words within {window} places of a word, with how many times as often as by chance, as dots. {told}"
    fig, axes = figure(1, len(chosen), 6 * len(chosen), 4.6, f"{alt} Near all: {listed(sorted(common) or ['none'])}.")
    for axis, word, near in zip(axes, chosen, lists, strict=True):
        for y, (other, ratio) in enumerate(near.items()):
            color, marker = (OKABE_ITO[1], "s") if other in common else (OKABE_ITO[0], "o")
            axis.plot(ratio, y, marker, ms=12, color=color)
        axis.set(yticks=range(SHOWN), yticklabels=list(near), xscale="log", xlabel="times as often as by chance")
        axis.axvline(1, color="gray", linestyle=":", linewidth=2)
        axis.set(title=f'within {window} of "{word}"', ylim=(SHOWN - 0.5, -0.5))
        axis.grid(axis="y", alpha=0.3)
    return fig


def analogy(lexicons: Mapping[str, Lexicon], a: str, b: str, c: str, weight: float) -> Figure:
    """The words nearest to v(c) + weight (v(b) - v(a)), with a panel for each named lexicon; a, b and c are orange."""
    nearest = {name: lexicon.analogy(a, b, c, SHOWN, weight, open_to_all=True) for name, lexicon in lexicons.items()}
    told = "; ".join(f"{name}: {listed(word for word, _ in found)}" for name, found in nearest.items())
    alt = f"The words nearest to {c} + {weight:g} · ({b} − {a}), with their cosines as bars. {told}."
    fig, axes = figure(1, len(lexicons), 6 * len(lexicons), 4.8, alt)
    fig.suptitle(f"{c} + {weight:g} · ({b} − {a})", fontsize=17)
    for axis, (name, found) in zip(axes, nearest.items(), strict=True):
        colors = [OKABE_ITO[4] if word in (a, b, c) else OKABE_ITO[0] for word, _ in found]
        axis.barh(range(SHOWN), [cosine for _, cosine in found], color=colors)
        axis.set(yticks=range(SHOWN), yticklabels=[word for word, _ in found], xlim=(0, 1), xlabel="cosine")
        axis.set_title(f"{name}: the nearest words")
        axis.invert_yaxis()
    return fig


def agreement(lexicon: Lexicon, pairs: Sequence[tuple[str, str]]) -> Figure:
    """For each pair (a, b), the cosine of v(b) - v(a) with the mean of the other pairs' differences, as bars."""
    steps = torch.stack([lexicon[b] - lexicon[a] for a, b in pairs])
    cosines = F.cosine_similarity(steps, steps.sum(dim=0) - steps)
    told = listed(f"{a} to {b} {cosine:.2f}" for (a, b), cosine in zip(pairs, cosines.tolist(), strict=True))
    alt = f"The cosine of each pair's step with the mean of the other pairs' steps, as bars (0: no relation): {told}."
    fig, (axis,) = figure(1, 1, 10, 1.2 + 0.45 * len(pairs), alt)
    axis.barh(range(len(pairs)), cosines.tolist(), color=OKABE_ITO[0])
    axis.set(yticks=range(len(pairs)), yticklabels=[f"{a} → {b}" for a, b in pairs])
    axis.set_xlim(min(0, cosines.min().item()) - 0.1, 1)
    axis.set_xlabel("cosine with the mean of the other pairs' steps (0: no relation)")
    axis.axvline(0, color="gray", linewidth=1)
    axis.invert_yaxis()
    return fig


def noise(counts: Tensor, probabilities: Mapping[str, Tensor]) -> Figure:
    """Named distributions (V,) over words against the counts (V,) of the words, on logarithmic axes."""
    order = counts.argsort(descending=True)[: int((counts > 0).sum())]
    rare, frequent = order[-1], order[0]
    told = listed(f"{name} {p[frequent] / p[rare]:,.0f} times" for name, p in probabilities.items())
    alt = f"""The chance of being drawn over a word's occurrences in the corpus, both logarithmic, a line for each
    distribution. The most frequent word is drawn this many times as often as the rarest: {told}."""
    fig, (axis,) = figure(1, 1, 9, 4.6, alt)
    for (name, p), style in zip(probabilities.items(), ("-", "--", ":"), strict=False):
        axis.plot(counts[order].numpy(), p[order].numpy(), style, label=name)
    axis.set(xscale="log", yscale="log", xlabel="occurrences in the corpus", ylabel="chance of being drawn")
    axis.legend(frameon=False)
    return fig


def optimum(information: Tensor, scores: Tensor, named: Mapping[str, tuple[float, float]]) -> Figure:
    """Scores v_w . u_c (N,) of pairs of words over what the loss wants them to be (N,), with the diagonal.

    named: {text: (information, score)} of the pairs to be marked.
    """
    correlation = torch.corrcoef(torch.stack([information, scores]))[0, 1].item()
    told = listed(f"{text} ({x:.1f}, {y:.1f})" for text, (x, y) in named.items())
    alt = f"""{len(scores)} pairs of words as dots: the trained score of a pair over its pointwise mutual information
    less log k, both in nats, with the diagonal; the correlation is {correlation:.2f}. Marked: {told}."""
    fig, (axis,) = figure(1, 1, 9, 6, alt)
    axis.plot(information, scores, "o", ms=3, alpha=0.3, color=OKABE_ITO[0], markeredgewidth=0)
    ends = [information.min().item(), information.max().item()]
    axis.plot(ends, ends, "--", color="black", label="the optimum")
    for text, place in named.items():
        axis.plot(*place, "s", ms=9, color=OKABE_ITO[1])
        axis.annotate(text, place, (-8, 6), textcoords="offset points", ha="right", fontsize=14)
    axis.set(xlabel="counted: PMI(w, c) − log k (nats)", ylabel="trained: $v_w \\cdot u_c$ (nats)")
    axis.legend(frameon=False)
    return fig


def leaning(groups: Mapping[str, Mapping[str, float]], left: str, right: str) -> Figure:
    """Words as dots at their cosine with the direction from left to right, in rows: {group: {word: cosine}}."""
    lines = [
        f"{name}: {listed(f'{word} {cosine:.2f}' for word, cosine in words.items())}" for name, words in groups.items()
    ]
    alt = f"Words as dots at their cosine with the direction from {left} to {right}. {'; '.join(lines)}."
    fig, (axis,) = figure(1, 1, 12, 1.2 + 1.7 * len(groups), alt)
    for row, words in enumerate(groups.values()):
        for n, (word, cosine) in enumerate(sorted(words.items(), key=lambda item: item[1])):
            y = row + (n % 5 - 2) * 0.18  # neighbouring words differ in height, so that they can be read
            axis.scatter(cosine, y, s=30, color=OKABE_ITO[row])
            axis.annotate(word, (cosine, y), (5, 0), textcoords="offset points", va="center", fontsize=12)
    axis.axvline(0, color="gray", linestyle=":", linewidth=2)
    axis.set(yticks=range(len(groups)), yticklabels=list(groups), ylim=(len(groups) - 0.5, -0.5))
    axis.set_xlabel(f"← {left}      cosine with the direction      {right} →")
    axis.margins(x=0.1)
    return fig


def company_box(words: Tensor, verse: Tensor, vocabulary: tuple[str, ...]) -> Figure | None:
    """The companions of two typed words in a corpus words, verse (T,), below a slider for the window."""
    return explore(
        lambda first, second, window: companions(words, verse, vocabulary, (first, second), window),
        first=Control("Text", "wheat", "word"),
        second=Control("Text", "barley", "word"),
        window=Control("IntSlider", 3, "window", min=1, max=15),
    )


def analogy_box(lexicons: Mapping[str, Lexicon], a: str = "man", b: str = "woman", c: str = "king") -> Figure | None:
    """The analogy of three typed words in the named lexicons, below a slider for the weight of the offset."""
    return explore(
        lambda a, b, c, weight: analogy(lexicons, a, b, c, weight),
        **{name: Control("Text", word, name) for name, word in zip("abc", (a, b, c), strict=True)},
        weight=Control("FloatSlider", 1.0, "weight", min=0, max=3, step=0.1, readout_format=".1f"),
    )
