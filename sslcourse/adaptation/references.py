"""The references of every adaptation: raw input, random init, and the same network trained with labels alone."""

import warnings
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from sslcourse import encoders
from sslcourse.adaptation.finetune import accuracy
from sslcourse.adaptation.frozen import Frozen
from sslcourse.adaptation.labels import label_budgets
from sslcourse.adaptation.supervised import samples_seen, supervised, untrained
from sslcourse.data import Data
from sslcourse.devices import best_device, profile
from sslcourse.errors import Doubt
from sslcourse.ledger import Log

Labels = Mapping[str, int | None] | Iterable[int | None]
Table = dict[str, dict[str, float]]
FEW = 10  # labels a class, up to which distances stand beside the probe


def references(
    data: Data,
    labels: Labels,
    encoder: Callable[[], nn.Module] | None = None,
    seed: int = 0,
    log: Log | None = None,
    group: str = "",
    seen: int = 0,
) -> Table:
    """Test accuracy of what every pretrained encoder must stand beside, on the same labels and the same split.

    "raw input" and "random init", whose batch statistics are calibrated, are linear probes; "supervised" is trained
    end to end. encoder: makes the untrained encoder of both, by default the one of the data's modality; seen: how many
    inputs the pretraining that they stand beside has seen; the others: see `budgets`. Warns of a Doubt where
    supervised training sees fewer.
    """
    if seen > samples_seen(data) and profile() != "smoke":
        doubt(f"Supervised training on {data.name} sees {samples_seen(data)} samples, pretraining saw {seen}: starved.")
    torch.manual_seed(seed)
    random = (encoder or (lambda: untrained(data)))().to(best_device())
    methods = {
        "raw input": raw_input(data),
        "random init": encoders.calibrate(random, data.unlabeled(), seed=seed),
        "supervised": lambda n: accuracy(supervised(data, n, seed, encoder), data.test.x, data.test.y),
    }
    return budgets(data, methods, labels, seed, log, group)


def budgets(
    data: Data,
    methods: Mapping[str, nn.Module | Callable[[int | None], float]],
    labels: Labels,
    seed: int = 0,
    log: Log | None = None,
    group: str = "",
) -> Table:
    """A lesson's table: the test accuracy of each method at each number of labels a class.

    methods: an encoder, which a linear probe reads, or a function of the number that gives the accuracy; labels:
    numbers, None for all, or their names -> numbers. Where there is a log, it is recorded under group/method/labels;
    and for encoders, under "group by distance", what prototypes and kNN reach with ten labels a class or fewer. Warns
    of a Doubt where a probe has one.
    """
    table = {}
    for method, adapted in methods.items():
        frozen = Frozen(adapted, data) if isinstance(adapted, nn.Module) else None
        table[method] = {}
        for name, n in named(labels).items():
            table[method][name] = probed(frozen, n, seed, f"{method}, {name}") if frozen else adapted(n)
            if log:
                log.record("/".join(filter(None, (group, method, name))), table[method][name], unit="accuracy")
            if log and frozen and n and n <= FEW:
                for way, value in frozen.nearest(n, seed).items():
                    log.record(f"{group} by distance/{method}/{name}, {way}".strip(), value, unit="accuracy")
    return table


def probed(frozen: Frozen, labels_per_class: int | None, seed: int, what: str) -> float:
    """A linear probe's accuracy; says aloud why it should not be trusted, if there is a reason."""
    result = frozen.probe(labels_per_class, seed)
    for sentence in result.doubts:
        doubt(f"{what}: {sentence}")
    return result.accuracy


def doubt(sentence: str) -> None:
    """Warn of a number that should not be trusted."""
    warnings.warn(sentence, Doubt, stacklevel=3)


def named(labels: Labels) -> Mapping[str, int | None]:
    """Label budgets by name, whether they came with names or without."""
    return labels if isinstance(labels, Mapping) else label_budgets(labels)


def raw_input(data: Data) -> nn.Module:
    """The encoder that changes nothing: pixels or, for text, how often each frequent word occurs."""
    return encoders.BagOfWords() if data.vocabulary else nn.Flatten()
