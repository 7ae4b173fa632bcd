"""Gensim's word2vec, in compiled C, on the same verses with the same settings, to compare with."""

import importlib.util
import time
from collections.abc import Sequence

import torch

from sslcourse.data import Unlabeled
from sslcourse.origins.word2vec import words_of
from sslcourse.origins.word_questions import Lexicon


def available() -> bool:
    """Whether gensim is installed; authors have it, readers need not."""
    return importlib.util.find_spec("gensim") is not None


def train(
    unlabeled: Unlabeled, vocabulary: Sequence[str], model: str, epochs: int, seed: int = 0
) -> tuple[Lexicon, float]:
    """Gensim's vectors of a corpus, and its speed in words a second, the corpus' words counted once an epoch.

    model: "skip-gram" or "CBOW"; all other settings are the defaults of `word2vec.train`. It runs on
    two threads, which is faster than one; so the seed alone does not decide the result.
    """
    from gensim.models import Word2Vec

    words, verse, counts = words_of(unlabeled)
    stops = (verse.diff() != 0).nonzero()[:, 0] + 1
    sentences = [sentence.tolist() for sentence in words.tensor_split(stops)]
    gensim = Word2Vec(vector_size=64, window=5, negative=5, min_count=1, sample=1e-3, alpha=0.025, workers=2, seed=seed,
                      sg=int(model == "skip-gram"))  # fmt: skip
    gensim.build_vocab(sentences)
    begin = time.perf_counter()
    gensim.train(sentences, total_examples=len(sentences), epochs=epochs)
    seconds = time.perf_counter() - begin
    vectors = torch.zeros(len(counts), gensim.vector_size)
    vectors[torch.tensor(gensim.wv.index_to_key)] = torch.from_numpy(gensim.wv.vectors)
    return Lexicon(vectors, vocabulary, counts), epochs * len(words) / seconds
