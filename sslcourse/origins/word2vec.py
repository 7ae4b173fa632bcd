"""Word2vec: word vectors that tell which words stand near each other from words drawn at random.

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

FREQUENT = 2000  # words on which the collapse meters read the vectors
SLOWEST = 1e-4  # the share of the learning rate that is left at the end, against word2vec's and gensim's 0.0001 / 0.025
NOISE = 32  # noise words that all examples of a batch share
# Examples in a batch. Each noise vector takes the pull of the whole batch at one stroke, and so does a frequent word:
# batches several times as large make the steps diverge. CBOW's examples name up to ten words on their left side.
BATCH = {"skip-gram": 1024, "CBOW": 256}


def training_pairs(verse: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (i, j), each (P,) int64: word j stands in the same verse as word i, and within i's reach.

    verse: (T,) int64, the number of the verse that the word at each position stands in, ascending; reach: (T,) int64,
    how many places i's window extends to each side, at least 1. No word is its own context. The order is free.
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

    The same as `by_autograd(negative_sampling_loss)`, but for the last digits, in fewer and simpler operations.
    """
    missed = (h * u).sum(dim=1, keepdim=True).neg_().sigmoid_()  # 1 - sigma(h.u)
    fooled = (h @ noise.T).sigmoid_()
    # The logarithms of numbers that are there already cost a tenth of logsigmoid; 1 - sigma may round to 0.
    loss = -(log_of_rest(missed).mean() + k * log_of_rest(fooled).mean())
    missed, fooled = missed.div_(-len(h)), fooled.mul_(k / fooled.numel())
    return loss, (torch.addmm(missed * u, fooled, noise), missed * h, fooled.T @ h)


def log_of_rest(p: Tensor) -> Tensor:
    """log(1 - p), no less than the logarithm of float32's spacing at 1."""
    return (1 - p).clamp_(min=torch.finfo(torch.float32).eps).log_()


def noise_distribution(counts: Tensor, power: float = 0.75) -> Tensor:
    """Probabilities (V,) in proportion to counts (V,) to a power above 0; words that never occur have none.

    Source: Mikolov et al., 2013, section 2.2, where 3/4 did better than 1 and than all words alike.
    """
    weights = counts.double() ** power
    return (weights / weights.sum()).float()


def words_of(unlabeled: Unlabeled, at_least: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """A corpus of verses (N,L) as one stream: (words (T,), verse (T,) of each, counts (V,) of each word).

    Padding and words that occur less often than `at_least` times are left out, as if they had never stood there.
    """
    counts = unlabeled.x.flatten().bincount()
    counts[0] = 0
    counts[counts < at_least] = 0
    verse, place = (counts[unlabeled.x] > 0).nonzero(as_tuple=True)
    return unlabeled.x[verse, place], verse, counts


def company(words: Tensor, verse: Tensor, word: int, window: int, size: int) -> Tensor:
    """How often each of `size` words stands within `window` places of a word, in its verse: (size,) int64."""
    near = torch.zeros(size, dtype=torch.long)
    for offset in range(1, window + 1):
        together = verse[:-offset] == verse[offset:]
        for here, there in ((words[:-offset], words[offset:]), (words[offset:], words[:-offset])):
            near += there[together & (here == word)].bincount(minlength=size)
    return near


def keep_probability(counts: Tensor, threshold: float = 1e-3) -> Tensor:
    """Subsampling: the chance (V,) that an occurrence of a word is kept; below 1 for the most frequent words only.

    With f the word's share of the corpus and t the threshold, sqrt(t / f) + t / f: the formula of word2vec's and
    gensim's code. The paper (Mikolov et al., 2013, equation 5) has its first term alone.
    """
    ratio = threshold * counts.sum() / counts.clamp(min=1)
    return (ratio.sqrt() + ratio).clamp(max=1) * (counts > 0)


def context_windows(words: Tensor, i: Tensor, j: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """CBOW's examples, from pairs of positions: context words (N, 2 width), padded with 0, and the word (N,) amid them.

    Words without any context are left out.
    """
    windows = torch.zeros(len(words), 2 * width, dtype=torch.long, device=words.device)
    slot = torch.where(j < i, j - i, j - i - 1) + width
    windows.index_put_((i, slot), words[j])
    some = windows.any(dim=1)
    return windows[some], words[some]


class Word2vec:
    """Two tables of vectors (V,d): `vectors` of words as input, which are kept, and `output`, thrown away after.

    V counts all tokens, padding and rare words included; `counts` (V,) is 0 for those, and their vectors mean nothing.
    """

    def __init__(self, counts: Tensor, dim: int = 64, seed: int = 0, device: torch.device | None = None):
        device = device or best_device()
        chance = torch.Generator().manual_seed(seed)
        self.counts = counts
        self.vectors = ((torch.rand(len(counts), dim, generator=chance) - 0.5) / dim).to(device)
        self.output = torch.zeros(len(counts), dim, device=device)

    def step(self, inputs: Tensor, targets: Tensor, noise: Tensor, lr: float, gradients: Callable, k: float) -> Tensor:
        """One step of stochastic gradient descent on a batch; returns the loss, detached.

        inputs: (B,) words for skip-gram, (B,W) context words padded with 0 for CBOW, whose vectors are averaged;
        targets: (B,) the words to tell from noise (M,). Only the rows that the batch names are touched, each pair with
        the whole lr, as if it came alone.
        """
        # F.embedding takes rows several times as quickly as an index does on a CPU.
        bag = F.embedding if inputs.ndim == 1 else partial(F.embedding_bag, mode="mean", padding_idx=0)
        h, u, n = bag(inputs, self.vectors), F.embedding(targets, self.output), F.embedding(noise, self.output)
        loss, (to_h, to_u, to_n) = gradients(h, u, n, k)
        lr = -lr * len(targets)  # the loss is a mean over pairs
        # Each context word takes the whole gradient of the mean, as in word2vec's code. Row 0, padding, means nothing.
        to_h = to_h.repeat_interleave(inputs.numel() // len(inputs), dim=0)
        for table, rows, gradient in ((self.vectors, inputs.flatten(), to_h), (self.output, targets, to_u),
                                      (self.output, noise, to_n)):  # fmt: skip
            # Rows may repeat. index_add_ does the same, half as quickly on a CPU.
            table.scatter_add_(0, rows[:, None].expand(gradient.shape), gradient * lr)
        return loss

    @torch.no_grad()
    def read_meters(self, history: History) -> None:
        """Note how spread out the vectors of the most frequent words are."""
        history.read_meters(self.vectors[self.counts.topk(min(FREQUENT, int((self.counts > 0).sum()))).indices])


@contextlib.contextmanager
def one_thread():
    """Run on one core: operations of some tens of microseconds gain little from two, and wait long for a busy one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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

    model: "skip-gram" (a word tells each of its context words) or "CBOW" (the mean of its context words tells the
    word). k: noise words a pair. gradients: `by_hand`, or `by_autograd` of any criterion. History.samples counts the
    corpus' words, each time they are passed, as gensim does.

    It has a loop of its own: `training.pretrain` steps every parameter with AdamW, and here a batch touches few rows
    of two large tables. Windows shrink at random and the learning rate falls linearly, as in Mikolov et al., 2013.
    Raises CourseError for another model, and for a loss that is not finite.
    """
    if model not in BATCH:
        raise CourseError(f'model is {model!r}; it must be "skip-gram" or "CBOW".')
    words, verse, counts = words_of(unlabeled)
    chance = torch.Generator().manual_seed(seed)
    made, history = Word2vec(counts, seed=seed), History()
    keep, cumulative = keep_probability(counts), distribution(counts).double().cumsum(0)
    device = made.vectors.device
    begin = time.perf_counter()
    for epoch in bar(epochs, model):
        kept = torch.rand(len(words), generator=chance) < keep[words]
        reach = torch.randint(1, window + 1, (int(kept.sum()),), generator=chance)
        i, j = pairs(verse[kept], reach)
        if model == "skip-gram":
            examples = words[kept][i], words[kept][j]
        else:
            examples = context_windows(words[kept], i, j, window)
        order = torch.randperm(len(examples[0]), generator=chance)
        batches = [part.index_select(0, order).to(device).split(batch_size or BATCH[model]) for part in examples]
        steps = len(batches[0])
        noise = torch.rand(steps, NOISE, generator=chance, dtype=torch.double) * cumulative[-1]
        noise = torch.searchsorted(cumulative, noise, right=True).to(device)
        total = torch.zeros((), device=device)
        for n, (batch, drawn) in enumerate(zip(zip(*batches, strict=True), noise, strict=True)):
            left = 1 - (epoch + n / steps) / epochs
            total += made.step(*batch, drawn, lr * max(left, SLOWEST), gradients, k)
        history.loss.append(total.item() / steps)
        if not math.isfinite(history.loss[-1]):
            raise CourseError("The loss is not finite: training has diverged. Try a smaller batch_size or lr.")
        made.read_meters(history)
    history.seconds, history.samples = time.perf_counter() - begin, epochs * len(words)
    return made, history
