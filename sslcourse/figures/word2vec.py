"""Lesson 2.3's figures: what company they keep, analogies, which way they lean."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from sslcourse.errors import CourseError
from sslcourse.figures import OKABE_ITO, Control, explore, figure
from sslcourse.origins.word2vec import cooccurrences
from sslcourse.origins.word_questions import Lexicon

SHOWN = 10  # words in a list


def companions(words: Tensor, verse: Tensor, vocabulary: Sequence[str], chosen: Sequence[str], window: int) -> Figure:
    """The company that each chosen word keeps within a window: the words that stand there more often than by chance.

    words, verse: (T,) a corpus as one stream. Listed are those with the largest part in the log-likelihood ratio, which
    leaves accidents of rare words out. Words in the company of all that were chosen are orange and hatched.
    """
    made, axes = figure(1, len(chosen), 6 * len(chosen), 4.6)
    by_chance = words.bincount(minlength=len(vocabulary)) / len(words)
    lists = []
    for word in chosen:
        if word not in vocabulary:
            raise CourseError(f"The word {word!r} is not in the corpus.")
        near = cooccurrences(words, verse, vocabulary.index(word), window, len(vocabulary))
        factor = near / near.sum() / by_chance.clamp(min=1e-9)
        best = (near * factor.clamp(min=1e-9).log()).topk(SHOWN).indices.tolist()
        lists.append(
            {vocabulary[token]: factor[token].item() for token in sorted(best, key=lambda token: -factor[token])}
        )
    common = set.intersection(*map(set, lists))
    for axis, word, listed in zip(axes, chosen, lists, strict=True):
        bars = axis.barh(range(SHOWN), list(listed.values()), color=OKABE_ITO[0])
        for bar, other in zip(bars, listed, strict=True):
            if other in common:
                bar.set(facecolor=OKABE_ITO[1], hatch="//", edgecolor="white")
        axis.set(yticks=range(SHOWN), yticklabels=list(listed), xscale="log", xlabel="times as often as by chance")
        axis.set_title(f'within {window} of "{word}"')
        axis.invert_yaxis()
    return made


def analogy(lexicons: Mapping[str, Lexicon], a: str, b: str, c: str, weight: float) -> Figure:
    """For each named lexicon, the words nearest to v(c) + weight (v(b) - v(a)); a, b and c themselves in orange."""
    made, axes = figure(1, len(lexicons), 6 * len(lexicons), 4.8)
    made.suptitle(f"{c} + {weight:g} · ({b} − {a})", fontsize=17)
    for axis, (name, lexicon) in zip(axes, lexicons.items(), strict=True):
        listed = lexicon.analogy(a, b, c, SHOWN, weight, open_to_all=True)
        colors = [OKABE_ITO[4] if word in (a, b, c) else OKABE_ITO[0] for word, _ in listed]
        axis.barh(range(SHOWN), [cosine for _, cosine in listed], color=colors)
        axis.set(yticks=range(SHOWN), yticklabels=[word for word, _ in listed], xlim=(0, 1), xlabel="cosine")
        axis.set_title(f"{name}: the nearest words")
        axis.invert_yaxis()
    return made


def agreement(lexicon: Lexicon, pairs: Sequence[tuple[str, str]]) -> Figure:
    """For each pair a, b the cosine of v(b) - v(a) with the mean of the other pairs' differences, as bars."""
    made, (axis,) = figure(1, 1, 10, 1.2 + 0.45 * len(pairs))
    steps = torch.stack([lexicon[b] - lexicon[a] for a, b in pairs])
    cosines = F.cosine_similarity(steps, steps.sum(dim=0) - steps)
    axis.barh(range(len(pairs)), cosines.tolist(), color=OKABE_ITO[0])
    axis.set(yticks=range(len(pairs)), yticklabels=[f"{a} → {b}" for a, b in pairs])
    axis.set_xlim(min(0, cosines.min().item()) - 0.1, 1)
    axis.set_xlabel("cosine with the mean of the other pairs' steps (0: no relation)")
    axis.axvline(0, color="gray", linewidth=1)
    axis.invert_yaxis()
    return made


def noise(counts: Tensor, probabilities: Mapping[str, Tensor]) -> Figure:
    """Named distributions over words, (V,) each, against how often a word occurs, on logarithmic axes."""
    made, (axis,) = figure(1, 1, 9, 4.6)
    order = counts.argsort(descending=True)[: int((counts > 0).sum())]
    for (name, p), style in zip(probabilities.items(), ("-", "--", ":"), strict=False):
        axis.plot(counts[order].numpy(), p[order].numpy(), style, label=name)
    axis.set(xscale="log", yscale="log", xlabel="occurrences in the corpus", ylabel="chance of being drawn")
    axis.legend(frameon=False)
    return made


def leaning(groups: Mapping[str, Mapping[str, float]], left: str, right: str) -> Figure:
    """Words as dots on a line from left to right, a row for each named group: {group: {word: cosine}}."""
    made, (axis,) = figure(1, 1, 12, 1.2 + 1.7 * len(groups))
    for row, words in enumerate(groups.values()):
        for n, (word, value) in enumerate(sorted(words.items(), key=lambda item: item[1])):
            place = row + (n % 5 - 2) * 0.18  # neighbours on lines of their own, so that they can be read
            axis.scatter(value, place, s=30, color=OKABE_ITO[row])
            axis.annotate(word, (value, place), (5, 0), textcoords="offset points", va="center", fontsize=12)
    axis.axvline(0, color="gray", linestyle=":", linewidth=2)
    axis.set(yticks=range(len(groups)), yticklabels=list(groups), ylim=(len(groups) - 0.5, -0.5))
    axis.set_xlabel(f"← {left}      cosine with the direction      {right} →")
    axis.margins(x=0.1)
    return made


def company_box(words: Tensor, verse: Tensor, vocabulary: tuple[str, ...]) -> Figure | None:
    """Two words to type, and a slider for the window in which their company is counted, over a corpus (T,)."""
    return explore(
        lambda first, second, window: companions(words, verse, vocabulary, (first, second), window),
        first=Control("Text", "wheat", "word"),
        second=Control("Text", "barley", "word"),
        window=Control("IntSlider", 3, "window", min=1, max=15),
    )


def analogy_box(lexicons: Mapping[str, Lexicon], a: str = "man", b: str = "woman", c: str = "king") -> Figure | None:
    """The analogy box: three words to type, a slider for the weight of the offset; one or more named lexicons."""
    return explore(
        lambda a, b, c, weight: analogy(lexicons, a, b, c, weight),
        **{name: Control("Text", word, name) for name, word in zip("abc", (a, b, c), strict=True)},
        weight=Control("FloatSlider", 1.0, "weight", min=0, max=3, step=0.1, readout_format=".1f"),
    )
