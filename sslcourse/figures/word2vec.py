"""Lesson 2.3's figures: words that occur together, analogies, noise distributions, and directions between words."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from sslcourse.errors import CourseError
from sslcourse.figures import OKABE_ITO, Control, explore, figure
from sslcourse.origins.word2vec import cooccurrences
from sslcourse.origins.word_questions import Lexicon

SHOWN = 10  # words listed in a panel


def companions(words: Tensor, verse: Tensor, vocabulary: Sequence[str], chosen: Sequence[str], window: int) -> Figure:
    """The words that occur within a window around each chosen word more often than by chance.

    words, verse: (T,) a corpus as one stream. Listed are the words with the largest part in the log-likelihood ratio,
    which leaves out accidents of rare words; those listed for every chosen word are orange and hatched.
    CourseError for a word that is not in the corpus.
    """
    fig, axes = figure(1, len(chosen), 6 * len(chosen), 4.6)
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
    for axis, word, listed in zip(axes, chosen, lists, strict=True):
        bars = axis.barh(range(SHOWN), list(listed.values()), color=OKABE_ITO[0])
        for bar, other in zip(bars, listed, strict=True):
            if other in common:
                bar.set(facecolor=OKABE_ITO[1], hatch="//", edgecolor="white")
        axis.set(yticks=range(SHOWN), yticklabels=list(listed), xscale="log", xlabel="times as often as by chance")
        axis.set_title(f'within {window} of "{word}"')
        axis.invert_yaxis()
    return fig


def analogy(lexicons: Mapping[str, Lexicon], a: str, b: str, c: str, weight: float) -> Figure:
    """The words nearest to v(c) + weight (v(b) - v(a)), with a panel for each named lexicon; a, b and c are orange."""
    fig, axes = figure(1, len(lexicons), 6 * len(lexicons), 4.8)
    fig.suptitle(f"{c} + {weight:g} · ({b} − {a})", fontsize=17)
    for axis, (name, lexicon) in zip(axes, lexicons.items(), strict=True):
        listed = lexicon.analogy(a, b, c, SHOWN, weight, open_to_all=True)
        colors = [OKABE_ITO[4] if word in (a, b, c) else OKABE_ITO[0] for word, _ in listed]
        axis.barh(range(SHOWN), [cosine for _, cosine in listed], color=colors)
        axis.set(yticks=range(SHOWN), yticklabels=[word for word, _ in listed], xlim=(0, 1), xlabel="cosine")
        axis.set_title(f"{name}: the nearest words")
        axis.invert_yaxis()
    return fig


def agreement(lexicon: Lexicon, pairs: Sequence[tuple[str, str]]) -> Figure:
    """For each pair (a, b), the cosine of v(b) - v(a) with the mean of the other pairs' differences, as bars."""
    fig, (axis,) = figure(1, 1, 10, 1.2 + 0.45 * len(pairs))
    steps = torch.stack([lexicon[b] - lexicon[a] for a, b in pairs])
    cosines = F.cosine_similarity(steps, steps.sum(dim=0) - steps)
    axis.barh(range(len(pairs)), cosines.tolist(), color=OKABE_ITO[0])
    axis.set(yticks=range(len(pairs)), yticklabels=[f"{a} → {b}" for a, b in pairs])
    axis.set_xlim(min(0, cosines.min().item()) - 0.1, 1)
    axis.set_xlabel("cosine with the mean of the other pairs' steps (0: no relation)")
    axis.axvline(0, color="gray", linewidth=1)
    axis.invert_yaxis()
    return fig


def noise(counts: Tensor, probabilities: Mapping[str, Tensor]) -> Figure:
    """Named distributions (V,) over words against the counts (V,) of the words, on logarithmic axes."""
    fig, (axis,) = figure(1, 1, 9, 4.6)
    order = counts.argsort(descending=True)[: int((counts > 0).sum())]
    for (name, p), style in zip(probabilities.items(), ("-", "--", ":"), strict=False):
        axis.plot(counts[order].numpy(), p[order].numpy(), style, label=name)
    axis.set(xscale="log", yscale="log", xlabel="occurrences in the corpus", ylabel="chance of being drawn")
    axis.legend(frameon=False)
    return fig


def leaning(groups: Mapping[str, Mapping[str, float]], left: str, right: str) -> Figure:
    """Words as dots at their cosine with the direction from left to right, in rows: {group: {word: cosine}}."""
    fig, (axis,) = figure(1, 1, 12, 1.2 + 1.7 * len(groups))
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
