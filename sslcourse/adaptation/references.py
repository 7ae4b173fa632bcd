"""The references of every adaptation: raw input, random init, and the same network trained with labels alone."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import augment, encoders
from sslcourse.adaptation.finetune import accuracy, fit
from sslcourse.adaptation.labels import few_labels, label_budgets
from sslcourse.adaptation.probe import linear_probe
from sslcourse.data import Data, Split
from sslcourse.devices import best_device, budget
from sslcourse.ledger import Log

Labels = Mapping[str, int | None] | Iterable[int | None]
Table = dict[str, dict[str, float]]


def references(
    data: Data,
    labels: Labels,
    encoder: Callable[[], nn.Module] | None = None,
    views: Callable | None = None,
    seed: int = 0,
    log: Log | None = None,
    group: str = "",
) -> Table:
    """Test accuracy of what every pretrained encoder must stand beside, on the same labels and the same split.

    "raw input" and "random init" are linear probes, "supervised" is trained end to end. encoder: makes the untrained
    encoder of both, by default the one of the data's modality; views: see `supervised`; the others: see `budgets`.
    """
    torch.manual_seed(seed)
    methods = {
        "raw input": raw_input(data),
        "random init": (encoder or (lambda: untrained(data)))().to(best_device()),
        "supervised": lambda n: accuracy(supervised(data, n, seed, views, encoder=encoder), data.test.x, data.test.y),
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
    numbers, None for all, or their names -> numbers. Where there is a log, it is recorded under group/method/labels.
    """
    table = {}
    for method, adapted in methods.items():
        score = adapted if not isinstance(adapted, nn.Module) else probed(adapted, data, seed)
        table[method] = {name: score(n) for name, n in named(labels).items()}
        for name, value in table[method].items() if log else ():
            log.record("/".join(filter(None, (group, method, name))), value, unit="accuracy")
    return table


def named(labels: Labels) -> Mapping[str, int | None]:
    """Label budgets by name, whether they came with names or without."""
    return labels if isinstance(labels, Mapping) else label_budgets(labels)


def probed(encoder: nn.Module, data: Data, seed: int) -> Callable[[int | None], float]:
    """Labels a class -> accuracy of a linear probe on the frozen encoder."""
    return lambda n: linear_probe(encoder, data, n, seed).accuracy


def raw_input(data: Data) -> nn.Module:
    """The encoder that changes nothing: pixels or, for text, how often each frequent word occurs."""
    return encoders.BagOfWords() if data.vocabulary else nn.Flatten()


def untrained(data: Data) -> nn.Module:
    """An encoder for the data's modality, its weights drawn by torch's own generator."""
    if data.vocabulary:
        return encoders.MeanOfWords(0.1 * torch.randn(len(data.vocabulary), 64))
    return encoders.ConvNet(in_channels=data.train.x.shape[1])


def supervised(
    data: Data,
    labels_per_class: int | None = None,
    seed: int = 0,
    views: Callable | None = None,
    samples: int | None = None,
    encoder: Callable[[], nn.Module] | None = None,
) -> nn.Sequential:
    """An encoder and a linear layer trained from scratch, end to end, on the labeled training samples.

    views: the augmentation of pictures, by default crop, resize and flip. samples: how many it sees in all, as in
    `fit`. encoder: makes the untrained one, by default that of the data's modality. Nothing is selected: it is the last
    step's weights.
    """
    train = few_labels(data.train, labels_per_class, seed)
    torch.manual_seed(seed)
    h = encoder() if encoder else untrained(data)
    model = nn.Sequential(h, nn.Linear(h.dim, len(data.classes))).to(best_device())
    if data.vocabulary:
        fit_words(model, train)
    else:
        samples = samples or budget(cpu=60_000, gpu=600_000, smoke=256)
        fit(model, train, views or augment.simclr(color=0), samples, torch.Generator().manual_seed(seed))
    return model


def fit_words(model: nn.Module, train: Split) -> None:
    """Train word vectors and a linear head, in place, with cross-entropy. After fastText (Joulin et al., 2017)."""
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=device.type in ("cpu", "cuda"))
    x, y = train.x.to(device), train.y.to(device)
    for _ in range(budget(cpu=400, gpu=400)):
        rows = torch.randint(len(x), (min(256, len(x)),)).to(device)
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
