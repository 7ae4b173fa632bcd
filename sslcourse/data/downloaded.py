"""Larger data sets, which do not come with the course: read from torchvision's own files, where the reader has them.

They lie in the folder that SSLCOURSE_DATA names, `~/.cache/sslcourse/data` where it is not set, as torchvision's
classes lay them out below their `root`. Only `fetch` downloads anything.
"""

import http.client
import os
import pickle
import tempfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sslcourse import paths
from sslcourse.data import Data, Split
from sslcourse.devices import cores
from sslcourse.errors import CourseError

SIDE = 128  # pixels on the side of an Imagenette picture, once it is cut and resized
# What torchvision, pickle, PIL and our own look at the labels raise for files that are not as they should be.
UNREADABLE = (
    RuntimeError, ValueError, TypeError, AssertionError, LookupError, EOFError, OSError, pickle.UnpicklingError,
    zlib.error,
)  # fmt: skip


class Content(NamedTuple):
    """What the files hold: pictures (N,C,H,W) uint8 and labels (N,) int64, as (train, test), and names of the classes.

    more: further training pictures (M,C,H,W) without labels.
    """

    x: tuple[Tensor, Tensor]
    y: tuple[Tensor, Tensor]
    classes: tuple[str, ...]
    more: Tensor | None = None


@dataclass(frozen=True)
class Archive:
    """What is known of a data set whether or not it is here.

    read(root, download) -> Content; folder: where it lies below root, and files: what must be in there. size: of the
    download; stand_in: a data set of the course that can be used in its place.
    """

    read: Callable[[Path, bool], Content]
    what: str
    source: str
    licence: str
    folder: str
    files: tuple[str, ...]
    size: str
    stand_in: str = "photos"


def cifar10(root: Path, download: bool) -> Content:
    """CIFAR-10: 50,000 and 10,000 pictures (3,32,32) of ten classes. Source: Krizhevsky, 2009. No licence is stated."""
    from torchvision.datasets import CIFAR10

    train, test = (CIFAR10(root, train=train, download=download) for train in (True, False))
    x = (torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in (train, test))
    y = (torch.tensor(part.targets) for part in (train, test))
    return Content(tuple(x), tuple(y), tuple(train.classes))


def fashion_mnist(root: Path, download: bool) -> Content:
    """Fashion-MNIST: 60,000 and 10,000 pictures (1,28,28) of ten classes. Source: Xiao et al., 2017. Licence: MIT."""
    from torchvision.datasets import FashionMNIST

    train, test = (FashionMNIST(root, train=train, download=download) for train in (True, False))
    x = (train.data.unsqueeze(1), test.data.unsqueeze(1))
    return Content(x, (train.targets, test.targets), tuple(train.classes))


def stl10(root: Path, download: bool) -> Content:
    """STL-10: 5,000 and 8,000 pictures (3,96,96) of ten classes, and 100,000 without labels, which take 2.8 GB.

    Source: Coates, Ng and Lee, 2011, from ImageNet. No licence is stated.
    """
    from torchvision.datasets import STL10

    train, test, more = (STL10(root, split=split, download=download) for split in ("train", "test", "unlabeled"))
    x = (torch.from_numpy(part.data).contiguous() for part in (train, test))
    y = (torch.from_numpy(part.labels).long() for part in (train, test))
    return Content(tuple(x), tuple(y), tuple(train.classes), torch.from_numpy(more.data).contiguous())


def imagenette(root: Path, download: bool) -> Content:
    """Imagenette: about 9,500 and 3,900 pictures of ten classes, (3,128,128): the square in the middle, made smaller.

    It is read from the edition whose shorter sides have 160 pixels; its split "val" is our test split. Source: Howard,
    2019, from ImageNet. Licence: Apache 2.0; of the pictures, ImageNet's: research and teaching, not for profit.
    """
    from PIL import Image, ImageOps
    from torchvision.datasets import Imagenette
    from torchvision.transforms.v2 import functional

    def square(image: Image.Image) -> Tensor:
        return functional.pil_to_tensor(ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BILINEAR))

    train, test = (Imagenette(root, split, "160px", download, transform=square) for split in ("train", "val"))
    if train.wnids != test.wnids:
        raise ValueError("train and val hold different classes")
    with ThreadPoolExecutor(cores()) as pool:  # PIL decodes without Python's lock
        pairs = [list(pool.map(part.__getitem__, range(len(part)))) for part in (train, test)]
    x = (torch.stack([picture for picture, _ in part]) for part in pairs)
    y = (torch.tensor([label for _, label in part]) for part in pairs)
    return Content(tuple(x), tuple(y), tuple(names[0] for names in train.classes))


ARCHIVES = {
    "cifar10": Archive(
        read=cifar10,
        what="photographs of ten kinds of things and animals, 32x32, colour",
        source="CIFAR-10 (Krizhevsky, 2009), https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated",
        folder="cifar-10-batches-py",
        files=(*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"),
        size="170 MB",
    ),
    "fashion_mnist": Archive(
        read=fashion_mnist,
        what="pieces of clothing, 28x28, grey",
        source="Fashion-MNIST (Xiao et al., 2017), https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        folder="FashionMNIST",
        files=tuple(
            f"raw/{part}-{name}-ubyte" for part in ("train", "t10k") for name in ("images-idx3", "labels-idx1")
        ),
        size="30 MB",
        stand_in="digits",
    ),
    "imagenette": Archive(
        read=imagenette,
        what=f"photographs of ten of ImageNet's classes, {SIDE}x{SIDE}, colour",
        source="Imagenette (Howard, 2019), https://github.com/fastai/imagenette",
        licence="Apache 2.0; the pictures are ImageNet's: for research and teaching, not for profit",
        folder="imagenette2-160",
        files=("train", "val"),
        size="100 MB",
    ),
    "stl10": Archive(
        read=stl10,
        what="photographs of ten kinds of things and animals, 96x96, colour, and 100,000 without labels",
        source="STL-10 (Coates et al., 2011), https://cs.stanford.edu/~acoates/stl10",
        licence="none stated; the pictures are from ImageNet",
        folder="stl10_binary",
        files=("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "unlabeled_X.bin", "class_names.txt"),
        size="2.6 GB",
    ),
}


def here(name: str) -> bool:
    """Whether the files of a data set are in their folder; what is in them is not looked at."""
    archive = ARCHIVES[name]
    return all((paths.downloads() / archive.folder / file).exists() for file in archive.files)


def load(name: str) -> Data:
    """The data set, with a tenth of its training pictures held out to validate; the test split is its own.

    Raises CourseError where the files are missing or damaged.
    """
    archive, root = ARCHIVES[name], paths.downloads()
    if not here(name):
        raise CourseError(
            f"{name} is not in {root}: get it with `sslcourse data --fetch {name}`, which needs a network, or use "
            f"{archive.stand_in!r}, which comes with the course."
        )
    try:
        return assembled(name, archive.read(root, False))
    except UNREADABLE as error:
        raise CourseError(
            f"{name} in {root / archive.folder} cannot be read ({reason(error)}): where its files are damaged, delete "
            f"that folder and get them again with `sslcourse data --fetch {name}`."
        ) from None


def assembled(name: str, content: Content) -> Data:
    """The splits. ValueError where the labels are not those of the pictures and classes."""
    for x, y in zip(content.x, content.y, strict=True):
        if len(x) != len(y) or y.unique().tolist() != list(range(len(content.classes))):
            raise ValueError("its labels do not fit its pictures or its classes")
    (x, x_test), (y, y_test) = content.x, content.y
    val = held_out(y)
    kept = torch.ones(len(y), dtype=torch.bool).index_fill(0, val, False)
    splits = {"train": Split(x[kept], y[kept]), "val": Split(x[val], y[val]), "test": Split(x_test, y_test)}
    archive = ARCHIVES[name]
    described = {"what": archive.what, "source": archive.source, "licence": archive.licence}
    return Data(name=name, classes=content.classes, **splits, **described, more=content.more)


def held_out(y: Tensor) -> Tensor:
    """The rows that validate: as many of each class of y (N,), a tenth of the smallest; the same ones for everybody."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    count = int(y.bincount().min()) // 10
    return torch.cat([order[y[order] == label][:count] for label in y.unique()]).sort().values


def fetch(name: str) -> Path:
    """Download a data set through torchvision, unless it is here; returns its folder, which appears when it is whole.

    Raises CourseError for a data set that there is nothing to fetch of, and where it cannot be downloaded.
    """
    if name not in ARCHIVES:
        raise CourseError(f"{name!r} cannot be fetched; choose one of {', '.join(ARCHIVES)}: others need no download.")
    archive, root = ARCHIVES[name], paths.downloads()
    folder = root / archive.folder
    if here(name):
        return folder
    if folder.exists():
        raise CourseError(f"{folder} is there, but lacks files of {name}: move it away or delete it, and fetch again.")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}.") as unfinished:
        try:
            archive.read(Path(unfinished), True)
        except (*UNREADABLE, http.client.HTTPException) as error:
            raise CourseError(
                f"{name} could not be downloaded ({reason(error)}): that needs a network, and room for twice "
                f"{archive.size}; {archive.stand_in!r} comes with the course."
            ) from None
        os.replace(Path(unfinished) / archive.folder, folder)
    return folder


def reason(error: Any) -> str:
    """What an exception says in its first sentence, on one line; its name where it says nothing."""
    return " ".join(str(error).split()).partition(". ")[0].rstrip(".")[:200] or type(error).__name__
