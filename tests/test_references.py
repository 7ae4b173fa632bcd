"""References that nobody can call unfair: calibrated, converged, trained for long enough; and the library says so."""

import copy
from dataclasses import replace
from importlib import import_module

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import adaptation, augment, data, encoders, measures, paths
from sslcourse.adaptation import probe, regression
from sslcourse.data import Split, scripture
from sslcourse.errors import Doubt


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of this test's own."""
    monkeypatch.setenv(paths.CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def few_digits():
    """The digits, with 600 to train on."""
    whole = data.load("digits")
    return replace(whole, train=whole.train.first(60))


def untrained(channels: int = 1) -> encoders.ConvNet:
    torch.manual_seed(0)
    return encoders.ConvNet(channels)


def test_calibration_gives_each_layer_inputs_of_mean_0_and_variance_1_and_moves_no_weight(few_digits):
    encoder = untrained()
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    normalised = {}
    for norm in (module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)):
        # As float, which is a copy: the ReLU behind it writes over what it is given.
        norm.register_forward_hook(lambda module, _, output: normalised.__setitem__(module, output.float()))
    measures.embed(encoder, few_digits.train.x)
    assert all(abs(out.var().item() - 1) > 0.3 for out in normalised.values()), "as made, it normalises nothing"
    assert encoders.calibrate(encoder, few_digits.unlabeled()) is encoder
    measures.embed(encoder, few_digits.train.x)
    for out in normalised.values():
        assert abs(out.mean().item()) < 0.05 and abs(out.var().item() - 1) < 0.1
    assert all(torch.equal(before[name], p) for name, p in encoder.named_parameters())
    assert encoder.training and all(norm.momentum == 0.1 for norm in normalised)


def test_calibration_follows_the_views_and_leaves_other_encoders_alone(few_digits):
    views = (None, augment.simclr(color=0))
    plain, changed = (encoders.calibrate(untrained(), few_digits.unlabeled(), some) for some in views)
    means = [encoder.layers[1].running_mean for encoder in (plain, changed)]
    assert not torch.allclose(*means)
    torch.manual_seed(0)
    vit = encoders.ViT(1, size=28)
    before = copy.deepcopy(vit.state_dict())
    encoders.calibrate(vit, few_digits.unlabeled())
    assert all(torch.equal(before[name], value) for name, value in vit.state_dict().items())


def datasets():
    """Each data set that lessons probe, and the encoders they probe: raw input and an untrained network."""
    for name in ("digits", "photos", "sprites"):
        yield name, data.load(name), encoders.ConvNet(data.load(name).train.x.shape[1])
    parts = scripture.parts()
    yield "scripture", parts, encoders.MeanOfWords(torch.randn(len(parts.vocabulary), 64))


@pytest.mark.parametrize("name", ["digits", "photos", "sprites", "scripture"])
def test_a_probe_has_converged_on_every_data_set(name):
    """Measured by autograd on the loss as it is written down, not by the solver's word."""
    torch.manual_seed(0)
    whole, encoder = next((whole, encoder) for found, whole, encoder in datasets() if found == name)
    raw = encoders.BagOfWords() if whole.vocabulary else nn.Flatten()
    if not whole.vocabulary:
        encoders.calibrate(encoder, whole.unlabeled())
    for h in (raw, encoder):
        frozen = adaptation.Frozen(h, whole)
        for n in (1, 10, 50):
            result = frozen.probe(n, seed=0)
            rows = adaptation.labeled_rows(whole.train.y, n, seed=0)
            scaling, linear = copy.deepcopy(result.head)
            x = scaling(frozen.train[rows])
            x = x - x.mean(dim=0)  # the penalty is the same, and the bias takes up the rest
            bias = linear.bias.detach() + linear.weight.detach() @ scaling(frozen.train[rows]).mean(dim=0)
            W = linear.weight.detach().requires_grad_()
            squares = W.square().sum() * (2 if len(W) == 2 else 1)  # two classes share one row of scikit-learn
            loss = F.cross_entropy(x @ W.T + bias, whole.train.y[rows]) + result.decay / 2 * squares
            (slope,) = torch.autograd.grad(loss, W)
            assert slope.abs().max() < 1e-4
            assert not [doubt for doubt in result.doubts if "converged" in doubt]


def test_scaled_features_have_a_mean_square_length_of_one(few_digits):
    h = measures.embed(nn.Flatten(), few_digits.train.x)
    for how in probe.SCALINGS:
        scaled = probe.Scaling(how, h)(h)
        assert scaled.isfinite().all(), "pixels that are always black stay what they are"
        assert scaled.square().sum(dim=1).mean() == pytest.approx(1, abs=0.3 if how == "per feature" else 1e-4)


def test_validation_finds_the_scaling_that_the_labels_need():
    """One feature tells the classes apart, and is a thousand times smaller than those that do not."""
    chance = torch.Generator().manual_seed(0)
    y = torch.arange(600) % 2
    h = torch.randn(600, 20, generator=chance) * 1000
    h[:, 0] = y + 0.3 * torch.randn(600, generator=chance)
    splits = [Split(h[part], y[part]) for part in (slice(0, 200), slice(200, 400), slice(400, 600))]
    result = adaptation.linear_probe(nn.Flatten(), data.Data("", "", ("a", "b"), *splits, "", ""), 20)
    assert result.scaling == "per feature" and result.accuracy > 0.75


def test_an_encoder_with_wrong_batch_statistics_is_caught(few_digits):
    (sentence,) = [s for s in adaptation.linear_probe(untrained(), few_digits, 5).doubts if "batch" in s]
    assert "call encoders.calibrate before you measure it" in sentence
    with pytest.warns(Doubt, match="mine, 5 labels a class: The encoder's batch normalisation has never seen a batch"):
        adaptation.budgets(few_digits, {"mine": untrained()}, [5])
    calibrated = encoders.calibrate(untrained(), few_digits.unlabeled())
    assert not [s for s in adaptation.linear_probe(calibrated, few_digits, 5).doubts if "batch" in s]


def test_a_probe_that_has_not_converged_is_caught(few_digits, monkeypatch):
    monkeypatch.setattr(regression, "STEPS", 2)
    with pytest.warns(Doubt, match="pixels, all labels: The probe has not converged"):
        adaptation.budgets(few_digits, {"pixels": nn.Flatten()}, [None])


def test_a_grid_whose_end_is_chosen_is_caught(few_digits, monkeypatch):
    monkeypatch.setattr(probe, "DECAYS", (100.0, 10.0))
    (sentence,) = adaptation.linear_probe(nn.Flatten(), few_digits, 10).doubts
    assert "lies at an end of those tried" in sentence


def test_a_starved_supervised_reference_is_caught(few_digits, monkeypatch):
    module = import_module("sslcourse.adaptation.references")  # the package gives its function of this name
    monkeypatch.setattr(module, "supervised", lambda *_: nn.Flatten())
    monkeypatch.setattr(module, "accuracy", lambda *_: 0.5)
    with pytest.warns(Doubt, match="sees 107520 samples, pretraining saw 200000: starved"):
        adaptation.references(few_digits, [5], seen=200_000)


def test_what_was_trained_once_is_read_again_and_nothing_else(few_digits, cache, monkeypatch):
    first = adaptation.supervised(few_digits, 1, seed=3)
    assert len(list(cache.rglob("*.safetensors"))) == 1
    trained = []
    monkeypatch.setattr(
        import_module("sslcourse.adaptation.supervised"), "train_on", lambda *given: trained.append(given)
    )
    again = adaptation.supervised(few_digits, 1, seed=3)
    assert not trained
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    adaptation.supervised(few_digits, 1, seed=4)
    adaptation.supervised(few_digits, 2, seed=3)
    adaptation.supervised(few_digits, 1, seed=3, encoder=lambda: encoders.ConvNet(1, widths=(8, 8, 8)))
    assert len(trained) == 3, "another seed, other labels, another network"
    mirrored = replace(few_digits, train=Split(few_digits.train.x.flip(3), few_digits.train.y))
    adaptation.supervised(mirrored, 1, seed=3)
    assert len(trained) == 4, "other data of the same name and size"


def test_a_cache_that_is_damaged_or_cannot_be_written_costs_time_alone(few_digits, cache, monkeypatch):
    first = adaptation.supervised(few_digits, 1)
    (path,) = cache.rglob("*.safetensors")
    path.write_bytes(b"half a file")
    again = adaptation.supervised(few_digits, 1)
    monkeypatch.setenv(paths.CACHE, str(path))  # a file, where a folder should be
    third = adaptation.supervised(few_digits, 1)
    x, y = few_digits.test.x, few_digits.test.y
    assert adaptation.accuracy(first, x, y) == adaptation.accuracy(again, x, y) == adaptation.accuracy(third, x, y)
