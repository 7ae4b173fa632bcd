"""Few labels: which samples have one, and what a number of labels a class is called."""

from collections.abc import Iterable

import torch

from sslcourse.data import Split
from sslcourse.errors import CourseError


def label_budgets(numbers: Iterable[int | None]) -> dict[str, int | None]:
    """Numbers of labels a class by what tables and figures call them: "1 label a class", "10 labels a class", ..."""
    return {called(n): n for n in numbers}


def called(labels_per_class: int | None) -> str:
    """A number of labels a class in words; None is all."""
    if labels_per_class is None:
        return "all labels"
    return f"{labels_per_class} label{'' if labels_per_class == 1 else 's'} a class"


def few_labels(split: Split, labels_per_class: int | None, seed: int) -> Split:
    """labels_per_class samples of each class, drawn by seed; None takes all.

    Raises CourseError where a class has fewer.
    """
    if labels_per_class is None:
        return split
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    of_class = [order[split.y[order] == label] for label in split.y.unique()]
    fewest = min(map(len, of_class))
    if not 1 <= labels_per_class <= fewest:
        raise CourseError(f"labels_per_class is {labels_per_class}; it must lie in 1 to {fewest}, or be None: all.")
    rows = torch.cat([drawn[:labels_per_class] for drawn in of_class])
    return Split(split.x[rows], split.y[rows])


def min_labels(labels_per_class: int | None, split: Split) -> int | None:
    """labels_per_class, or None for all where the split has no more than that."""
    fewest = int(split.y.bincount().min())
    return None if labels_per_class is None or labels_per_class >= fewest else labels_per_class
