"""The reference with labels alone: the same network, trained from scratch for as long as validation says it pays."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import augment, encoders, paths
from sslcourse.adaptation.finetune import fit
from sslcourse.adaptation.labels import few_labels
from sslcourse.data import Data, Split
from sslcourse.devices import best_device, budget
from sslcourse.files import replacing

BATCH = 256
LEAST_CROP = {"digits": 0.5}  # share of the area; elsewhere a fifth. Both chosen on validation data
DECIDE = ("adaptation", "augment", "data", "encoders.py", "measures.py")  # whose code a reference depends on


def supervised(
    data: Data,
    labels_per_class: int | None = None,
    seed: int = 0,
    encoder: Callable[[], nn.Module] | None = None,
) -> nn.Sequential:
    """An encoder and a linear layer trained from scratch, end to end, on the labeled training samples.

    Pictures are cropped, resized and, where a mirror image is of the same class, flipped. encoder: makes the untrained
    one, by default that of the data's modality. Nothing is selected: it is the last step's weights. The number of
    steps was chosen on validation data with other seeds. What was trained once on this machine is read again.
    """
    torch.manual_seed(seed)
    h = encoder() if encoder else untrained(data)
    model = nn.Sequential(h, nn.Linear(h.dim, len(data.classes))).to(best_device())
    train = few_labels(data.train, labels_per_class, seed)
    settings = settings_of(data.name, train, steps(train), seed, h)
    return kept(model, settings, lambda: train_on(model, train, data, seed))


def settings_of(name: str, train: Split, steps: int, seed: int, encoder: nn.Module) -> dict:
    """All on which a trained reference depends, and by which it is known in the cache."""
    return {
        "data": name,
        "samples": digest(train),
        "steps": steps,
        "seed": seed,
        "encoder": repr(encoder),
        "device": best_device().type,
        "torch": torch.__version__,
        "code": code(),
    }


def steps(train: Split) -> int:
    """How many steps supervised training takes, more for more samples, and twice as many where these fill no batch.

    Chosen on validation data: on digits twice as many gain nothing; on photos they gain a little more, and time is up.
    """
    if len(train) < BATCH:
        return 2 * budget(cpu=420, gpu=4200)
    return max(budget(cpu=420, gpu=4200), budget(cpu=20, gpu=70) * len(train) // BATCH)  # so many passes at least


def samples_seen(data: Data) -> int:
    """How many samples supervised training sees with all labels, repeats counted."""
    return steps(data.train) * min(BATCH, len(data.train))


def train_on(model: nn.Module, train: Split, data: Data, seed: int) -> None:
    """Train a classifier, in place, on labeled samples of a data set."""
    if data.vocabulary:
        fit_words(model, train)
    else:
        views = augment.simclr(color=0, flip=data.mirrored, min_area=LEAST_CROP.get(data.name, 0.2))
        chance = torch.Generator().manual_seed(seed)
        fit(model, train, views, BATCH * steps(train), chance, batch_size=BATCH)


def untrained(data: Data) -> nn.Module:
    """An encoder for the data's modality, its weights drawn by torch's own generator."""
    if data.vocabulary:
        return encoders.MeanOfWords(0.1 * torch.randn(len(data.vocabulary), 64))
    return encoders.ConvNet(in_channels=data.train.x.shape[1])


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


def kept(model: nn.Module, settings: dict, train: Callable[[], None]) -> nn.Module:
    """The model as train() leaves it, from the cache where the same settings were trained before.

    A cache that cannot be written, or a file in it that cannot be read, costs time and nothing else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    name = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    path = paths.cache() / "supervised" / f"{name[:32]}.safetensors"
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError):
        train()
        try:
            with replacing(path) as unfinished:
                save_file({key: value.contiguous() for key, value in model.state_dict().items()}, unfinished)
        except OSError:
            pass
    return model


def digest(train: Split) -> str:
    """A digest of labeled samples: data of one name need not be the same data."""
    found = hashlib.sha256(train.x.numpy().tobytes())
    found.update(train.y.numpy().tobytes())
    return found.hexdigest()


@cache
def code() -> str:
    """A digest of the code that decides what a reference becomes, so that none outlives a change of it."""
    root, found = Path(__file__).parent.parent, hashlib.sha256()
    for part in DECIDE:
        for path in sorted((root / part).rglob("*.py")) if (root / part).is_dir() else [root / part]:
            found.update(path.read_bytes())
    return found.hexdigest()
