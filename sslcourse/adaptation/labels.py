"""Few labels: which samples have one, and what a number of labels a class is called."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sslcourse.data import Data, Split
from sslcourse.errors import CourseError


def label_budgets(numbers: Iterable[int | None]) -> dict[str, int | None]:
    """Numbers of labels a class by what tables and figures call them: "1 label a class", "10 labels a class", ..."""
    return {called(n): n for n in numbers}


def called(labels_per_class: int | None) -> str:
    """A number of labels a class in words; None is all."""
    if labels_per_class is None:
        return "all labels"
    return f"{labels_per_class} label{'' if labels_per_class == 1 else 's'} a class"


def in_all(data: Data, numbers: Iterable[int | None]) -> str:
    """A figure's title that says how many labels the budgets are in all, "photos (1 label a class: 13, ...)"."""
    totals = [f"{called(n)}: {len(data.train) if n is None else n * len(data.classes)}" for n in numbers]
    return f"{data.name} ({', '.join(totals)})"


def few_labels(split: Split, labels_per_class: int | None, seed: int) -> Split:
    """labels_per_class samples of each class, drawn by seed; None takes all.

    Raises CourseError where a class has fewer.
    """
    if labels_per_class is None:
        return split
    rows = labeled_rows(split.y, labels_per_class, seed)
    return Split(split.x[rows], split.y[rows])


def labeled_rows(y: Tensor, labels_per_class: int | None, seed: int) -> Tensor:
    """Which samples have a label, by their classes y (N,): labels_per_class of each class, drawn by seed; None: all.

    Raises CourseError where a class has fewer.
    """
    if labels_per_class is None:
        return torch.arange(len(y))
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    of_class = [order[y[order] == label] for label in y.unique()]
    fewest = min(map(len, of_class))
    if not 1 <= labels_per_class <= fewest:
        raise CourseError(f"labels_per_class is {labels_per_class}; it must lie in 1 to {fewest}, or be None: all.")
    return torch.cat([drawn[:labels_per_class] for drawn in of_class])


def min_labels(labels_per_class: int | None, split: Split) -> int | None:
    """labels_per_class, or None for all where the split has no more than that."""
    fewest = int(split.y.bincount().min())
    return None if labels_per_class is None or labels_per_class >= fewest else labels_per_class
