"""Adaptation: probes see no more labels than they say, choose on validation, and stand beside references."""

import pytest
import torch
from torch import nn

from sslcourse import adaptation, data, encoders, measures
from sslcourse.data import Split
from sslcourse.errors import CourseError


@pytest.fixture(scope="module")
def digits():
    """Small splits of the digits."""
    whole = data.load("digits")

    def first(split: Split, n: int) -> Split:
        return Split(split.x[:n], split.y[:n])

    parts = {"train": first(whole.train, 600), "val": first(whole.val, 300), "test": first(whole.test, 400)}
    return data.Data("digits", "", whole.classes, **parts, source="", licence="")


def test_few_labels_takes_so_many_of_each_class_and_other_ones_with_another_seed(digits):
    few = adaptation.few_labels(digits.train, 3, seed=0)
    assert few.y.bincount().tolist() == [3] * 10
    assert torch.equal(few.x, adaptation.few_labels(digits.train, 3, seed=0).x)
    assert not torch.equal(few.x, adaptation.few_labels(digits.train, 3, seed=1).x)
    assert adaptation.few_labels(digits.train, None, seed=0) is digits.train
    for x, y in zip(few.x, few.y, strict=True):  # each with its own label
        assert y in digits.train.y[(digits.train.x == x).flatten(1).all(dim=1)]


@pytest.mark.parametrize("labels", [0, -1, 1000])
def test_more_labels_than_there_are_get_one_sentence(digits, labels):
    with pytest.raises(CourseError, match=f"labels_per_class is {labels}; it must lie in 1 to"):
        adaptation.few_labels(digits.train, labels, seed=0)


def test_a_probe_learns_and_more_labels_help(digits):
    accuracies = [adaptation.linear_probe(nn.Flatten(), digits, n).accuracy for n in (1, 10, None)]
    assert 0.15 < accuracies[0] < accuracies[1] < accuracies[2] < 0.95


def test_a_probe_is_chosen_without_the_test_split(digits):
    """With other test labels, the probe is the same one."""
    shuffled = digits.test.y[torch.randperm(len(digits.test))]
    other = data.Data("", "", digits.classes, digits.train, digits.val, Split(digits.test.x, shuffled), "", "")
    first, second = (adaptation.linear_probe(nn.Flatten(), given, 5) for given in (digits, other))
    assert (first.classifier[-1].coef_ == second.classifier[-1].coef_).all()
    assert second.accuracy < 0.3 < first.accuracy
    assert first.score(digits.test.x, digits.test.y) == first.accuracy


def test_a_probe_with_one_label_a_class_chooses_with_one_label_a_class(digits, monkeypatch):
    seen = []
    whole = adaptation.few_labels
    monkeypatch.setattr(adaptation, "few_labels", lambda *given: seen.append(whole(*given)) or seen[-1])
    adaptation.linear_probe(nn.Flatten(), digits, labels_per_class=1)
    assert [len(split) for split in seen] == [10, 10]


def test_references_are_raw_random_and_supervised(digits):
    table = adaptation.references(digits, labels_per_class=10, views=lambda x, generator: x)
    assert list(table) == ["raw input", "random init", "supervised"]
    assert all(0.3 < accuracy < 1 for accuracy in table.values())
    assert table == adaptation.references(digits, labels_per_class=10, views=lambda x, generator: x)


def test_embedding_leaves_the_encoder_as_it_was():
    encoder = encoders.ConvNet(1)
    x = torch.randint(0, 256, (10, 1, 28, 28), dtype=torch.uint8)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    features = measures.embed(encoder, x, batch_size=4)
    assert features.shape == (10, encoder.dim) and features.dtype == torch.float32 and not features.requires_grad
    assert encoder.training
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_invariance_to_a_factor_is_one_exactly_where_it_is_not_felt():
    generator = torch.Generator().manual_seed(0)
    factors = {name: torch.rand(500, generator=generator) for name in ("a", "b", "c")}
    before = {name: values.clone() for name, values in factors.items()}
    order = torch.randperm(500, generator=generator)

    def render(a, b, c):
        return torch.stack([a, b], dim=1)  # nobody sees c

    def score(name):
        return measures.factor_invariance(lambda x: x + 7, render, factors, name, order).item()

    assert score("c") == pytest.approx(1, abs=1e-5)
    assert 0.2 < score("a") < 0.8, "half of what it sees has changed"
    assert measures.factor_invariance(lambda x: x[:, :1] + 7, render, factors, "a", order).abs() < 0.15
    assert all(torch.equal(factors[name], before[name]) for name in factors)


def test_alignment_uniformity_and_invariance():
    torch.manual_seed(0)
    v = torch.randn(300, 16)
    assert measures.alignment(v, 3 * v) == pytest.approx(0, abs=1e-6)
    assert measures.alignment(v, -v) == pytest.approx(4)
    assert measures.uniformity(v) < -3 and measures.uniformity(torch.ones(10, 4)) == pytest.approx(0)
    x = torch.randint(0, 256, (50, 3, 8, 8), dtype=torch.uint8)
    assert measures.invariance(nn.Flatten(), x, x) == pytest.approx(1, abs=1e-5)
    assert measures.invariance(nn.Flatten(), x, x.flip(0)).abs() < 0.2
