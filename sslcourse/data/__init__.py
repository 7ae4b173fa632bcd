"""Source and target data: what a lesson trains on and is tested on, all of it offline.

`load(name)` gives three splits that share no pixel and no sentence. `Data.unlabeled()` gives the only thing that
pretraining accepts: the training inputs and nothing else, so that "does it peek at labels?" is answered by
construction.
"""

from dataclasses import dataclass, field, replace
from functools import cache

import torch
from torch import Tensor

from sslcourse.devices import profile
from sslcourse.errors import CourseError


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
    same class.
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

    def unlabeled(self) -> Unlabeled:
        """The training inputs without their labels: what `training.pretrain` accepts."""
        return Unlabeled(self.name, self.train.x)

    def __repr__(self) -> str:
        sizes = f"{len(self.train)} train, {len(self.val)} val, {len(self.test)} test"
        return f"Data({self.name!r}: {self.what}; {sizes}; {len(self.classes)} classes)"


def load(name: str) -> Data:
    """The data set with this name: "digits", "photos", "scripture" or "sprites"; the same tensors on every call.

    In the profile smoke, few pictures of each class to train with. Raises CourseError for another name. Sources and
    licences: `sslcourse data`, or the docstrings of the loaders.
    """
    return _load(name, profile() == "smoke")


@cache
def _load(name: str, few: bool) -> Data:
    loaders = _loaders()
    if name not in loaders:
        raise CourseError(f"There is no data set {name!r}; choose one of {', '.join(loaders)}. They work offline.")
    if not few:
        return loaders[name]()
    whole = _load(name, False)  # by place, as `load` calls it: the cache tells the two ways apart
    if whole.vocabulary:  # text stays whole: lessons ask for single words
        return whole
    enough = max(60, 300 // len(whole.classes))  # for 50 labels a class, and for a batch of 256
    return replace(whole, train=whole.train.first(enough))


def _loaders() -> dict:
    from sslcourse.data import digits, photos, scripture, sprites

    return {"digits": digits.load, "photos": photos.load, "scripture": scripture.load, "sprites": sprites.load}


def describe() -> list[dict[str, str]]:
    """Name, content, source and licence of every data set: what `sslcourse data` prints."""
    return [
        {"name": data.name, "what": data.what, "source": data.source, "licence": data.licence}
        for data in map(load, _loaders())
    ]
