"""Data sets on the reader's own disk: read from torchvision's files as they are, or refused in one sentence.

Small archives in exactly those formats are made here. torchvision compares the real ones with checksums: only these are
replaced, by those of the small files, so that the comparison itself is tested as well.
"""

import gzip
import hashlib
import pickle
import shutil
import struct
import sys
import tarfile
from functools import cache
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from sslcourse import cli, data, devices
from sslcourse.data import downloaded
from sslcourse.errors import CourseError

SETS = tuple(downloaded.ARCHIVES)
CLASSES = 10
TRAIN, TEST = 20, 3  # pictures of each class
SHAPES = {"cifar10": (3, 32, 32), "fashion_mnist": (1, 28, 28), "imagenette": (3, 128, 128), "stl10": (3, 96, 96)}


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def pictures(shape: tuple[int, ...], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` random pictures of each class, the classes in turn, and their labels."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count * CLASSES, *shape), dtype=np.uint8), np.arange(count * CLASSES) % CLASSES


def splits(name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {"train": pictures(SHAPES[name], TRAIN, 0), "test": pictures(SHAPES[name], TEST, 1)}


def make_cifar10(root: Path, monkeypatch) -> None:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def write(name: str, content: dict) -> str:
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        return md5(folder / name)

    def batch(name: str, x: np.ndarray, y: np.ndarray) -> list[str]:
        return [name, write(name, {"data": x.reshape(len(x), -1), "labels": y.tolist()})]

    (x, y), test = splits("cifar10").values()
    parts = zip(np.split(x, 5), np.split(y, 5), strict=True)
    lists = [batch(f"data_batch_{number}", *part) for number, part in enumerate(parts, 1)]
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "train_list", lists)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "test_list", [batch("test_batch", *test)])
    names = {"label_names": [f"class {number}" for number in range(CLASSES)]}
    meta = torchvision.datasets.CIFAR10.meta | {"md5": write("batches.meta", names)}
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "meta", meta)


def make_fashion_mnist(root: Path, monkeypatch) -> None:
    folder = root / "FashionMNIST/raw"
    folder.mkdir(parents=True)
    for part, (x, y) in zip(("train", "t10k"), splits("fashion_mnist").values(), strict=True):
        images = struct.pack(">4i", 0x803, len(x), 28, 28) + x.tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, len(y)) + bytes(y.tolist()))


def make_stl10(root: Path, monkeypatch) -> None:
    """Column by column, and with labels from 1, as the real one."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    parts = splits("stl10") | {"unlabeled": pictures(SHAPES["stl10"], 1, 2)}
    for part, (x, y) in parts.items():
        (folder / f"{part}_X.bin").write_bytes(x.transpose(0, 1, 3, 2).tobytes())
        if part != "unlabeled":
            (folder / f"{part}_y.bin").write_bytes(bytes((y + 1).tolist()))
    (folder / "class_names.txt").write_text("".join(f"class {number}\n" for number in range(CLASSES)))
    for name in ("train_list", "test_list"):
        files = [file for file, _ in getattr(torchvision.datasets.STL10, name)]
        monkeypatch.setattr(torchvision.datasets.STL10, name, [[file, md5(folder / file)] for file in files])


def make_imagenette(root: Path, monkeypatch) -> None:
    """Wide and high pictures, white but for the square in the middle."""
    for part, count in (("train", TRAIN), ("val", TEST)):
        for label, wnid in enumerate(torchvision.datasets.Imagenette._WNID_TO_CLASS):
            folder = root / "imagenette2-160" / part / wnid
            folder.mkdir(parents=True)
            for number in range(count):
                size = (240, 160) if number % 2 else (160, 240)
                image, colour = Image.new("RGB", size, "white"), (20 * label, 10 * number, 0 if part == "train" else 99)
                image.paste(colour, [n // 2 - 80 for n in size] + [n // 2 + 80 for n in size])
                image.convert("RGB").save(folder / f"{wnid}_{number}.JPEG", quality=95)


MAKERS = {
    "cifar10": make_cifar10, "fashion_mnist": make_fashion_mnist, "imagenette": make_imagenette, "stl10": make_stl10,
}  # fmt: skip


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """The reader's folder of data sets, with nothing in it; and no data set was loaded from elsewhere."""
    monkeypatch.setenv("SSLCOURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(data, "_load", cache(data._load.__wrapped__))
    return tmp_path / "data"


def command(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sslcourse", *arguments])
    return cli.main()


@pytest.mark.parametrize("name", SETS)
def test_splits_are_whole_and_share_nothing(name, root, monkeypatch):
    assert not data.available(name)
    MAKERS[name](root, monkeypatch)
    assert data.available(name)
    loaded = data.load(name)
    assert data.load(name) is loaded
    for split, count in ((loaded.train, TRAIN - 2), (loaded.val, 2), (loaded.test, TEST)):
        assert split.x.dtype == torch.uint8 and split.x.is_contiguous() and split.y.dtype == torch.int64
        assert split.x.shape == (count * CLASSES, *SHAPES[name])
        assert split.y.bincount().tolist() == [count] * CLASSES
    seen = [{x.numpy().tobytes() for x in split.x} for split in (loaded.train, loaded.val, loaded.test)]
    assert sum(map(len, seen)) == len(seen[0] | seen[1] | seen[2]) == (TRAIN + TEST) * CLASSES
    assert len(loaded.classes) == CLASSES == len(set(loaded.classes))


@pytest.mark.parametrize("name", [name for name in SETS if name != "imagenette"])
def test_every_picture_has_its_pixels_and_its_label(name, root, monkeypatch):
    MAKERS[name](root, monkeypatch)
    loaded = data.load(name)
    x, y = splits(name)["test"]
    assert torch.equal(loaded.test.x, torch.from_numpy(x)) and loaded.test.y.tolist() == y.tolist()
    x, y = splits(name)["train"]
    labels = {picture.tobytes(): label for picture, label in zip(x, y, strict=True)}
    for split in (loaded.train, loaded.val):
        assert [labels[picture.numpy().tobytes()] for picture in split.x] == split.y.tolist()


def test_imagenette_is_the_square_in_the_middle(root, monkeypatch):
    make_imagenette(root, monkeypatch)
    loaded = data.load("imagenette")
    assert loaded.classes[:2] == ("tench", "English springer")
    for split, blue in ((loaded.train, 0), (loaded.val, 0), (loaded.test, 99)):
        colours = split.x[:, :, 64, 64].int()
        assert (colours[:, 0] - 20 * split.y).abs().max() <= 3 and (colours[:, 2] - blue).abs().max() <= 3
        inside = split.x[:, :, 4:-4, 4:-4].flatten(2).int()
        assert (inside.amax(2) - inside.amin(2)).max() <= 3, "nothing of the white on both sides"


def test_pretraining_gets_the_pictures_that_nobody_labelled_as_well(root, monkeypatch):
    make_stl10(root, monkeypatch)
    loaded = data.load("stl10")
    x = loaded.unlabeled().x
    assert torch.equal(x[: len(loaded.train)], loaded.train.x)
    assert torch.equal(x[len(loaded.train) :], torch.from_numpy(pictures(SHAPES["stl10"], 1, 2)[0]))
    monkeypatch.setenv(devices.PROFILE, "smoke")
    assert len(data.load("stl10").unlabeled()) == len(loaded.train), "few is few"


def test_the_smoke_profile_has_few(root, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "TRAIN", 80)
    make_fashion_mnist(root, monkeypatch)
    assert data.load("fashion_mnist").train.y.bincount().tolist() == [72] * CLASSES
    monkeypatch.setenv(devices.PROFILE, "smoke")
    assert data.load("fashion_mnist").train.y.bincount().tolist() == [60] * CLASSES


@pytest.mark.parametrize("name", SETS)
def test_where_the_files_are_missing_one_sentence_says_how_to_get_them(name, root):
    instead = downloaded.ARCHIVES[name].stand_in
    with pytest.raises(CourseError, match=f"{name} is not in .*data: .*data --fetch {name}.* or use '{instead}'"):
        data.load(name)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


DAMAGE = {
    "cifar10": ("cifar-10-batches-py/test_batch", cut_short),
    "cifar10, its names": ("cifar-10-batches-py/batches.meta", cut_short),
    "fashion_mnist": ("FashionMNIST/raw/train-images-idx3-ubyte", cut_short),
    "fashion_mnist, no head": ("FashionMNIST/raw/t10k-images-idx3-ubyte", lambda file: file.write_bytes(b"")),
    "fashion_mnist, no idx": ("FashionMNIST/raw/t10k-labels-idx1-ubyte", lambda file: file.write_bytes(b"<html>404")),
    "fashion_mnist, labels": ("FashionMNIST/raw/train-labels-idx1-ubyte", cut_short),
    "imagenette": ("imagenette2-160/train/n01440764/n01440764_3.JPEG", cut_short),
    "imagenette, no JPEG": ("imagenette2-160/val/n01440764/n01440764_0.JPEG", lambda file: file.write_bytes(b"?")),
    "imagenette, a class less": ("imagenette2-160/val/n01440764", shutil.rmtree),
    "imagenette, no class": ("imagenette2-160/val", lambda folder: shutil.rmtree(folder) or folder.mkdir()),
    "stl10": ("stl10_binary/unlabeled_X.bin", cut_short),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_files_get_one_sentence(case, root, monkeypatch, capsys):
    name, (place, damage) = case.partition(",")[0], DAMAGE[case]
    MAKERS[name](root, monkeypatch)
    damage(root / place)
    assert command(monkeypatch, "pretrain", "--task", "simclr", "--data", name) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"sslcourse: {name} in {root / place.split('/')[0]} cannot be read (")
    assert told.endswith(f"delete that folder and get them again with `sslcourse data --fetch {name}`.\n")
    assert told.count("\n") == 1 and "download=True" not in told


def test_the_list_says_where_each_data_set_is(root, monkeypatch, capsys):
    make_fashion_mnist(root, monkeypatch)
    assert command(monkeypatch, "data") == 0
    told = capsys.readouterr().out
    assert f"licence: MIT\n  in {root / 'FashionMNIST'}\n" in told
    assert "not here: `sslcourse data --fetch cifar10` downloads it (170 MB)" in told
    assert told.count("comes with the course") == 5


@pytest.mark.parametrize("name", SETS)
def test_without_a_network_fetching_gets_one_sentence(name, root, monkeypatch, capsys):
    def no_network(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", no_network)
    assert command(monkeypatch, "data", "--fetch", name) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"sslcourse: {name} could not be downloaded (") and "no route to host" in told
    assert told.count("\n") == 1 and "comes with the course.\n" in told
    assert list(root.iterdir()) == [], "nothing unfinished is left"


@pytest.mark.parametrize("name", ["photos", "nothing"])
def test_what_cannot_be_fetched_gets_one_sentence(name, root, monkeypatch, capsys):
    assert command(monkeypatch, "data", "--fetch", name) == 2
    assert capsys.readouterr().err.startswith(f"sslcourse: '{name}' cannot be fetched; choose one of cifar10, fashion")


def packed(name: str, made: Path, web: Path, monkeypatch) -> None:
    """Packs what a maker made as torchvision finds it on the web, with the checksums that it then expects."""
    web.mkdir()
    classes = torchvision.datasets
    if name == "fashion_mnist":
        for file in (made / "FashionMNIST/raw").iterdir():
            (web / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        resources = [(file.name, md5(file)) for file in web.iterdir()]
        monkeypatch.setattr(classes.FashionMNIST, "resources", resources)
        return
    urls = {"cifar10": classes.CIFAR10.url, "stl10": classes.STL10.url}
    url = urls.get(name) or classes.Imagenette._ARCHIVES["160px"][0]
    archive = web / url.rpartition("/")[2]
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(made / downloaded.ARCHIVES[name].folder, downloaded.ARCHIVES[name].folder)
    if name == "imagenette":
        monkeypatch.setitem(classes.Imagenette._ARCHIVES, "160px", (url, md5(archive)))
    else:
        monkeypatch.setattr({"cifar10": classes.CIFAR10, "stl10": classes.STL10}[name], "tgz_md5", md5(archive))


@pytest.mark.parametrize("name", SETS)
def test_what_is_fetched_is_what_the_web_has(name, root, tmp_path, monkeypatch, capsys):
    MAKERS[name](tmp_path / "made", monkeypatch)
    packed(name, tmp_path / "made", tmp_path / "web", monkeypatch)
    utils, asked = torchvision.datasets.utils, []

    def from_the_web(url: str, file) -> None:
        asked.append(url)
        shutil.copy(tmp_path / "web" / url.rpartition("/")[2], file)

    monkeypatch.setattr(utils, "_get_redirect_url", lambda url, max_hops: url)
    monkeypatch.setattr(utils, "_urlretrieve", from_the_web)
    assert command(monkeypatch, "data", "--fetch", name) == 0
    folder = root / downloaded.ARCHIVES[name].folder
    assert capsys.readouterr().out.endswith(f"{name} is in {folder}\n")
    assert data.available(name) and len(data.load(name).test) == TEST * CLASSES
    assert list(root.iterdir()) == [folder], "the archive is not kept"
    before = len(asked)
    assert command(monkeypatch, "data", "--fetch", name) == 0 and len(asked) == before, "what is here stays"
    next(file for file in sorted(folder.rglob("*")) if file.is_file()).unlink()
    if not data.available(name):
        assert command(monkeypatch, "data", "--fetch", name) == 2
        assert f"{folder} is there, but lacks files of {name}" in capsys.readouterr().err
