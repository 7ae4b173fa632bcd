"""Source and target data: what a lesson trains on and is tested on, offline. Larger data sets can be downloaded before.

`load(name)` gives three splits that share no pixel and no sentence. `Data.unlabeled()` gives the only thing that
pretraining accepts: inputs to train with and nothing else, so that "does it peek at labels?" is answered by
construction.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial

import torch
from torch import Tensor

from sslcourse.devices import profile
from sslcourse.errors import CourseError
from sslcourse.paths import downloads


@dataclass(frozen=True)
class Split:
    """Inputs x, labels y (N,) int64, and known factors of variation: name -> (N,).

    x is images (N,C,H,W) uint8, or text as tokens (N,L) int64, padded with 0.
    """

    x: Tensor
    y: Tensor
    factors: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def first(self, n: int) -> "Split":
        """The first n samples of each class, in the order of the split."""
        rows = torch.cat([(self.y == label).nonzero()[:n, 0] for label in self.y.unique()]).sort().values
        return Split(self.x[rows], self.y[rows], {name: values[rows] for name, values in self.factors.items()})


@dataclass(frozen=True)
class Unlabeled:
    """Inputs x, as in Split, of a data set's training split. It holds no label to peek at."""

    name: str
    x: Tensor

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Data:
    """A data set: three splits without overlap, class names, and where it comes from.

    vocabulary: where the inputs are text, the word of each token. mirrored: whether a picture's mirror image is of the
    same class. more: further inputs (M,...) to train with, as train.x, which nobody labelled.
    """

    name: str
    what: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    source: str
    licence: str
    vocabulary: tuple[str, ...] = ()
    mirrored: bool = True
    more: Tensor | None = None

    def unlabeled(self) -> Unlabeled:
        """The training inputs without their labels, and those that never had any: what `training.pretrain` accepts."""
        return Unlabeled(self.name, self.train.x if self.more is None else torch.cat([self.train.x, self.more]))

    def __repr__(self) -> str:
        sizes = f"{len(self.train)} train, {len(self.val)} val, {len(self.test)} test"
        return f"Data({self.name!r}: {self.what}; {sizes}; {len(self.classes)} classes)"


def load(name: str) -> Data:
    """The data set with this name; the same tensors on every call.

    "digits", "photos", "scripture", "sprites" and "symbols" come with the course. "cifar10", "fashion_mnist",
    "imagenette" and "stl10" are read from the reader's own files (see `downloaded`). In the profile smoke, few pictures
    of each class to train with. Raises CourseError for another name, and where files are missing or damaged. Sources
    and licences: `sslcourse data`, or the docstrings of the loaders.
    """
    return _load(name, profile() == "smoke")


@cache
def _load(name: str, few: bool) -> Data:
    if not few:
        return _loader(name)()
    whole = _load(name, False)  # by place, as `load` calls it: the cache tells the two ways apart
    if whole.vocabulary:  # text stays whole: lessons ask for single words
        return whole
    enough = max(60, 300 // len(whole.classes))  # for 50 labels a class, and for a batch of 256
    train = whole.train.first(enough)
    if len(train) == len(whole.train):  # classes of one sample each
        train = Split(train.x[:300], train.y[:300])
    return replace(whole, train=train, more=None)


def _loader(name: str) -> Callable[[], Data]:
    from sslcourse.data import downloaded

    embedded = _embedded()
    if name in embedded:
        return embedded[name]
    if name in downloaded.ARCHIVES:
        return partial(downloaded.load, name)
    raise CourseError(
        f"There is no data set {name!r}; choose one of {', '.join(embedded)}, which come with the course, or of "
        f"{', '.join(downloaded.ARCHIVES)}, which are downloaded first."
    )


def _embedded() -> dict[str, Callable[[], Data]]:
    from sslcourse.data import digits, photos, scripture, sprites, symbols

    return {module.__name__.rpartition(".")[2]: module.load for module in (digits, photos, scripture, sprites, symbols)}


def available(name: str) -> bool:
    """Whether `load` has what it needs to load this data set. CourseError where there is none with this name."""
    from sslcourse.data import downloaded

    _loader(name)
    return name not in downloaded.ARCHIVES or downloaded.here(name)


def describe() -> list[dict[str, str]]:
    """Name, content, source and licence of every data set, and where it is: what `sslcourse data` prints."""
    from sslcourse.data import downloaded

    keys = ("what", "source", "licence")
    entries = {name: load(name) for name in _embedded()} | downloaded.ARCHIVES
    return [
        {"name": name, **{key: getattr(entry, key) for key in keys}, "where": _where(name)}
        for name, entry in entries.items()
    ]


def _where(name: str) -> str:
    from sslcourse.data import downloaded

    if name not in downloaded.ARCHIVES:
        return "comes with the course"
    archive = downloaded.ARCHIVES[name]
    if downloaded.here(name):
        return f"in {downloads() / archive.folder}"
    return f"not here: `sslcourse data --fetch {name}` downloads it ({archive.size})"
