"""Word2vec: word vectors are learned by telling a word's neighbours from words drawn at random.

Source: Mikolov, Sutskever, Chen, Corrado and Dean, 2013, "Distributed representations of words and phrases and their
compositionality" (skip-gram with negative sampling, subsampling); Mikolov, Chen, Corrado and Dean, 2013, "Efficient
estimation of word representations in vector space" (CBOW, analogies).
"""

import contextlib
import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.data import Unlabeled
from sslcourse.devices import best_device
from sslcourse.errors import CourseError
from sslcourse.training import History
from sslcourse.training.loop import bar

FREQUENT = 2000  # how many of the most frequent words the collapse meters read
LOWEST_SHARE = 1e-4  # the share of lr at which the learning rate stops falling; 0.0001 / 0.025 in word2vec and gensim
NOISE = 32  # noise words that all examples of a batch share
# Examples in a batch. All of them update each noise vector in one step, and many update a frequent word's: with batches
# several times as large, training diverges. An example of CBOW has up to ten words as its input.
BATCH = {"skip-gram": 1024, "CBOW": 256}


def training_pairs(verse: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (i, j), each (P,) int64: word j stands in the same verse as word i, and within i's reach.

    verse: (T,) int64, the number of the verse that the word at each position stands in, ascending; reach: (T,) int64,
    how many places i's window extends to each side, at least 1. No word is its own context. The order is arbitrary.
    """
    centres, contexts = [], []
    position = torch.arange(len(verse), device=verse.device)
    for offset in range(1, min(int(reach.max()), len(verse) - 1) + 1):
        left, right = position[:-offset], position[offset:]
        together = verse[left] == verse[right]
        for i, j in ((left, right), (right, left)):
            near = together & (reach[i] >= offset)
            centres.append(i[near])
            contexts.append(j[near])
    return torch.cat(centres), torch.cat(contexts)


def negative_sampling_loss(h: Tensor, u: Tensor, noise: Tensor, k: float) -> Tensor:
    """Mean over pairs of -log sigma(h.u) - k E[log sigma(-h.n)]: a scalar, in nats.

    h, u: (P,d) the input and the output vector of each pair; noise: (M,d) output vectors of noise words n, over which
    the expectation is the mean; k: how many noise words a pair weighs. Source: Mikolov et al., 2013, equation 4, with
    noise words that all pairs share.
    """
    positive = F.logsigmoid((h * u).sum(dim=1))
    negative = F.logsigmoid(-(h @ noise.T))
    return -(positive.mean() + k * negative.mean())


def by_autograd(criterion: Callable) -> Callable:
    """Gradients as `Word2vec.step` takes them, (h, u, noise, k) -> (loss, (to_h, to_u, to_noise)), of any criterion."""

    def gradients(h: Tensor, u: Tensor, noise: Tensor, k: float) -> tuple[Tensor, tuple[Tensor, ...]]:
        parts = [part.requires_grad_() for part in (h, u, noise)]
        with torch.enable_grad():
            loss = criterion(*parts, k)
        return loss.detach(), torch.autograd.grad(loss, parts)

    return gradients


@torch.no_grad()
def by_hand(h: Tensor, u: Tensor, noise: Tensor, k: float) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The negative-sampling loss and its gradients, written out: sigma(score) less 1 for a true pair, less 0 for noise.

    Equal to `by_autograd(negative_sampling_loss)` up to rounding, in fewer and simpler operations.
    """
    missed = (h * u).sum(dim=1, keepdim=True).neg_().sigmoid_()  # 1 - sigma(h.u)
    fooled = (h @ noise.T).sigmoid_()
    # Logarithms of the sigmoids that are needed anyway cost a tenth of logsigmoid; 1 - sigma may round to 0.
    loss = -(log_one_minus(missed).mean() + k * log_one_minus(fooled).mean())
    missed, fooled = missed.div_(-len(h)), fooled.mul_(k / fooled.numel())
    return loss, (torch.addmm(missed * u, fooled, noise), missed * h, fooled.T @ h)


def log_one_minus(p: Tensor) -> Tensor:
    """log(1 - p), no less than the logarithm of float32's spacing at 1."""
    return (1 - p).clamp_(min=torch.finfo(torch.float32).eps).log_()


def noise_distribution(counts: Tensor, power: float = 0.75) -> Tensor:
    """Probabilities (V,) in proportion to counts (V,) to a power above 0; 0 for words that never occur.

    Source: Mikolov et al., 2013, section 2.2, where 3/4 did better than 1 and than equal weights.
    """
    weights = counts.double() ** power
    return (weights / weights.sum()).float()


def words_of(unlabeled: Unlabeled, at_least: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """A corpus of verses (N,L) as one stream: (words (T,), verse (T,) of each, counts (V,) of each word).

    Padding and words that occur less often than `at_least` times are left out, as if the text did not contain them.
    """
    counts = unlabeled.x.flatten().bincount()
    counts[0] = 0
    counts[counts < at_least] = 0
    verse, place = (counts[unlabeled.x] > 0).nonzero(as_tuple=True)
    return unlabeled.x[verse, place], verse, counts


def cooccurrences(words: Tensor, verse: Tensor, word: int, window: int, size: int) -> Tensor:
    """How often each of `size` words stands within `window` places of `word`, in the same verse: (size,) int64.

    words, verse: (T,) int64 each, the corpus as one stream, as `words_of` gives it.
    """
    near = torch.zeros(size, dtype=torch.long)
    for offset in range(1, window + 1):
        together = verse[:-offset] == verse[offset:]
        for centre, context in ((words[:-offset], words[offset:]), (words[offset:], words[:-offset])):
            near += context[together & (centre == word)].bincount(minlength=size)
    return near


def keep_probability(counts: Tensor, threshold: float = 1e-3) -> Tensor:
    """Subsampling: the chance (V,) that an occurrence of a word is kept; below 1 for the most frequent words only.

    With f the word's share of the corpus and t the threshold, sqrt(t / f) + t / f: the formula of word2vec's and
    gensim's code. The paper (Mikolov et al., 2013, equation 5) has its first term alone.
    """
    ratio = threshold * counts.sum() / counts.clamp(min=1)
    return (ratio.sqrt() + ratio).clamp(max=1) * (counts > 0)


def context_windows(words: Tensor, i: Tensor, j: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """CBOW's examples from pairs of positions: context words (N, 2 width), padded with 0, and the words (N,) amid.

    Words without any context are left out.
    """
    windows = torch.zeros(len(words), 2 * width, dtype=torch.long, device=words.device)
    column = torch.where(j < i, j - i, j - i - 1) + width
    windows.index_put_((i, column), words[j])
    nonempty = windows.any(dim=1)
    return windows[nonempty], words[nonempty]


def pointwise_information(inputs: Tensor, targets: Tensor, chosen: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """How much likelier a context is beside a word than as noise: log P(c | w) / P_noise(c), (n,n), in nats.

    inputs, targets: (P,) the words of training pairs; chosen: (n,) words w (rows) and c (columns); noise: (V,)
    probabilities. With noise as frequent as contexts this is pointwise mutual information. Returns how often each pair
    occurs, (n,n), too; the information is -inf where it never does. Source: Levy and Goldberg, 2014, section 3.1.
    """
    place = torch.full((len(noise),), -1)
    place[chosen] = torch.arange(len(chosen))
    w, c = place[inputs], place[targets]
    both = (w >= 0) & (c >= 0)
    together = (w[both] * len(chosen) + c[both]).bincount(minlength=len(chosen) ** 2).view(len(chosen), -1)
    alone = inputs.bincount(minlength=len(noise))[chosen]
    return (together / alone[:, None] / noise[chosen]).log(), together


class Word2vec:
    """Two tables of vectors (V,d): `vectors` of words as input, and `output`, which is thrown away after training.

    V counts all tokens, padding and rare words included; `counts` (V,) is 0 for those, and their vectors mean nothing.
    """

    def __init__(self, counts: Tensor, dim: int = 64, seed: int = 0, device: torch.device | None = None):
        device = device or best_device()
        generator = torch.Generator().manual_seed(seed)
        self.counts = counts
        self.vectors = ((torch.rand(len(counts), dim, generator=generator) - 0.5) / dim).to(device)
        self.output = torch.zeros(len(counts), dim, device=device)

    def step(self, inputs: Tensor, targets: Tensor, noise: Tensor, lr: float, gradients: Callable, k: float) -> Tensor:
        """One step of stochastic gradient descent on a batch; returns the loss, detached.

        inputs: (B,) words for skip-gram, (B,W) context words padded with 0 for CBOW, whose vectors are averaged;
        targets: (B,) the words to tell from noise (M,). Only the rows in the batch change; each pair counts with the
        whole lr, as if it came alone.
        """
        # On a CPU, F.embedding is several times as fast as indexing.
        bag = F.embedding if inputs.ndim == 1 else partial(F.embedding_bag, mode="mean", padding_idx=0)
        h, u, n = bag(inputs, self.vectors), F.embedding(targets, self.output), F.embedding(noise, self.output)
        loss, (to_h, to_u, to_n) = gradients(h, u, n, k)
        lr = -lr * len(targets)  # the loss is a mean over pairs
        # Each context word gets the whole gradient of the mean, as in word2vec's code. Row 0, padding, is never used.
        to_h = to_h.repeat_interleave(inputs.numel() // len(inputs), dim=0)
        for table, rows, gradient in ((self.vectors, inputs.flatten(), to_h), (self.output, targets, to_u),
                                      (self.output, noise, to_n)):  # fmt: skip
            # Rows may repeat. index_add_ does the same, at half the speed on a CPU.
            table.scatter_add_(0, rows[:, None].expand(gradient.shape), gradient * lr)
        return loss

    def run(self, batches: list, noise: Tensor, rates: list[float], gradients: Callable, k: float) -> float:
        """One step for each batch (inputs, targets), with its row of noise (steps,M) and its rate; the mean loss."""
        total = torch.zeros((), device=self.vectors.device)
        for (inputs, targets), row, lr in zip(batches, noise, rates, strict=True):
            total += self.step(inputs, targets, row, lr, gradients, k)
        return total.item() / len(batches)

    @torch.no_grad()
    def read_meters(self, history: History) -> None:
        """Enter the collapse meters of the most frequent words' vectors in the history."""
        history.read_meters(self.vectors[self.counts.topk(min(FREQUENT, int((self.counts > 0).sum()))).indices])


@contextlib.contextmanager
def one_thread():
    """Run on one core: operations of tens of microseconds gain little from two, and wait long where one is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def draw_examples(
    model: str, words: Tensor, verse: Tensor, keep: Tensor, window: int, pairs: Callable, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """An epoch's (inputs, targets), as `Word2vec.step` takes them, from subsampled words (T,) in random order.

    keep: (V,) as `keep_probability` gives it. Windows shrink at random, to 1 to `window` places on each side.
    """
    kept = torch.rand(len(words), generator=generator) < keep[words]
    words, verse = words[kept], verse[kept]
    reach = torch.randint(1, window + 1, (len(words),), generator=generator)
    i, j = pairs(verse, reach)
    inputs, targets = (words[i], words[j]) if model == "skip-gram" else context_windows(words, i, j, window)
    order = torch.randperm(len(inputs), generator=generator)
    return inputs.index_select(0, order), targets.index_select(0, order)


def draw_noise(probabilities: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Noise words (steps,NOISE) drawn from a distribution (V,), not necessarily normalised."""
    cumulative = probabilities.double().cumsum(0)
    noise = torch.rand(steps, NOISE, generator=generator, dtype=torch.double) * cumulative[-1]
    return torch.searchsorted(cumulative, noise, right=True)


@one_thread()
def train(
    unlabeled: Unlabeled,
    model: str = "skip-gram",
    epochs: int = 10,
    window: int = 5,
    k: float = 5,
    lr: float = 0.025,
    batch_size: int | None = None,
    seed: int = 0,
    pairs: Callable = training_pairs,
    gradients: Callable = by_hand,
    distribution: Callable = noise_distribution,
) -> tuple[Word2vec, History]:
    """Train word vectors on verses (N,L) without labels; returns them and the history.

    model: "skip-gram" (a word predicts each of its context words) or "CBOW" (their mean predicts the word). k: noise
    words a pair. gradients: `by_hand`, or `by_autograd` of any criterion. History.samples counts the corpus' words
    once an epoch, as gensim does. The learning rate falls linearly, as in Mikolov et al., 2013. The loop is not
    `training.pretrain`, which steps every parameter: a batch changes few rows of two large tables.
    Raises CourseError for another model, and for a loss that is not finite.
    """
    if model not in BATCH:
        raise CourseError(f'model is {model!r}; it must be "skip-gram" or "CBOW".')
    words, verse, counts = words_of(unlabeled)
    generator = torch.Generator().manual_seed(seed)
    word2vec, history = Word2vec(counts, seed=seed), History()
    keep, probabilities, device = keep_probability(counts), distribution(counts), word2vec.vectors.device
    begin = time.perf_counter()
    for epoch in bar(epochs, model):
        examples = draw_examples(model, words, verse, keep, window, pairs, generator)
        batches = list(zip(*(part.to(device).split(batch_size or BATCH[model]) for part in examples), strict=True))
        steps = len(batches)
        noise = draw_noise(probabilities, steps, generator).to(device)
        rates = [lr * max(1 - (epoch + n / steps) / epochs, LOWEST_SHARE) for n in range(steps)]
        history.loss.append(word2vec.run(batches, noise, rates, gradients, k))
        if not math.isfinite(history.loss[-1]):
            raise CourseError("The loss is not finite: training has diverged. Try a smaller batch_size or lr.")
        word2vec.read_meters(history)
    history.seconds, history.samples = time.perf_counter() - begin, epochs * len(words)
    return word2vec, history
