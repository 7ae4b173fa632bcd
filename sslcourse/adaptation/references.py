"""The references of every adaptation: raw input, random init, and the same network trained with labels alone."""

from collections.abc import Callable

import torch
from torch import nn

from sslcourse import augment, encoders
from sslcourse.adaptation.finetune import accuracy, fit
from sslcourse.adaptation.probe import few_labels, linear_probe
from sslcourse.data import Data
from sslcourse.devices import best_device


def supervised(
    data: Data, labels_per_class: int | None = None, seed: int = 0, views: Callable | None = None, samples: int = 60_000
) -> float:
    """Accuracy on the test split of a ConvNet trained from scratch, end to end, on the labeled training samples.

    views: the augmentation, by default crop, resize and flip. samples: how many it sees in all, as in `fit`.
    Nothing is selected: the last step's weights are tested.
    """
    views = views or augment.simclr(color=0)
    train = few_labels(data.train, labels_per_class, seed)
    torch.manual_seed(seed)
    device = best_device()
    encoder = encoders.ConvNet(in_channels=data.train.x.shape[1])
    model = nn.Sequential(encoder, nn.Linear(encoder.dim, len(data.classes)))
    fit(model.to(device), train, views, samples, torch.Generator().manual_seed(seed))
    return accuracy(model, data.test.x, data.test.y)


def references(
    data: Data, labels_per_class: int | None = None, seed: int = 0, views: Callable | None = None
) -> dict[str, float]:
    """Test accuracy of what every pretrained encoder must stand beside, on the same labels and the same split.

    "raw input" and "random init" are linear probes, "supervised" is trained end to end. views: see `supervised`.
    """
    torch.manual_seed(seed)
    random = encoders.ConvNet(in_channels=data.train.x.shape[1]).to(best_device())
    return {
        "raw input": linear_probe(nn.Flatten(), data, labels_per_class, seed).accuracy,
        "random init": linear_probe(random, data, labels_per_class, seed).accuracy,
        "supervised": supervised(data, labels_per_class, seed, views),
    }
