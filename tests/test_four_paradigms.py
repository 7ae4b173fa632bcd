"""Four paradigms: groups, densities, pseudo-labels, consistency, rotation and bits do what the lesson says of them."""

import math

import pytest
import torch
from torch import nn

from sslcourse import adaptation, augment, data, encoders, measures, paradigms, pretext, training
from sslcourse.data import Split
from sslcourse.figures import four_paradigms as paradigm_figures
from sslcourse.paradigms import four_paradigms


@pytest.fixture(scope="module")
def digits():
    """1,000 of the training digits."""
    train = data.load("digits").train
    return Split(train.x[:1000], train.y[:1000])


@pytest.fixture(scope="module")
def pixels(digits):
    return measures.to_float(digits.x).flatten(1)


def cost(x, centroids):
    return torch.cdist(x, centroids).min(dim=1).values.square().mean().item()


def test_kmeans_never_raises_its_cost_and_comes_to_rest(pixels):
    path = paradigms.kmeans(pixels, k=10, steps=60)
    costs = [cost(pixels, centroids) for centroids in path]
    assert all(after <= before + 1e-4 for before, after in zip(costs, costs[1:], strict=False))
    assert costs[-1] < 0.8 * costs[0]
    assert torch.allclose(path[-1], path[-2], atol=1e-5)
    assert all((pixels == first).all(dim=1).any() for first in path[0]), "centroids start at samples"


def test_a_centroid_without_points_stays(pixels):
    centroids = torch.cat([pixels[:3], torch.full((1, 784), 9.0)])
    assert torch.equal(paradigms.kmeans_step(pixels, centroids)[3], centroids[3])


def test_kmeans_runs_the_step_that_it_is_given(pixels):
    path = paradigms.kmeans(pixels, 3, steps=2, step=lambda x, centroids: 2 * centroids)
    assert torch.equal(path[2], 4 * path[0]) and len(path) == 3


def test_features_of_the_unsupervised_have_their_shapes_and_ranges(digits, pixels):
    kmeans = paradigms.KMeansFeatures(pixels[:7])
    near = measures.embed(kmeans, digits.x[:5])
    assert near.shape == (5, 7) and (near >= 0).all() and (near == 0).any()
    assert torch.equal(near.argmax(dim=1), torch.arange(5)), "each picture is nearest to itself"
    pca, mixture = paradigms.gaussian_mixture(digits.x, components=3)
    codes = measures.embed(paradigms.Fitted(pca.transform), digits.x[:5])
    assert codes.shape == (5, four_paradigms.COMPONENTS) and codes.dtype == torch.float32
    shares = measures.embed(paradigms.Fitted(lambda x: mixture.predict_proba(pca.transform(x))), digits.x[:5])
    assert shares.shape == (5, 3) and torch.allclose(shares.sum(dim=1), torch.ones(5), atol=1e-4)


def test_the_density_is_higher_for_digits_than_for_their_negatives(digits):
    mixture = paradigms.gaussian_mixture(digits.x, components=3)
    held_out = measures.to_float(data.load("digits").test.x[:50]).flatten(1)
    assert mixture.score_samples(held_out.numpy()).min() > mixture.score_samples((1 - held_out).numpy()).max()


def test_bits_have_known_values():
    ten = torch.arange(10).repeat(7)[:, None]
    assert paradigms.bits_per_sample(ten).item() == pytest.approx(math.log2(10), abs=1e-5)
    assert paradigms.bits_per_sample(torch.full((9, 3), 5)).item() == 0
    both = torch.cat([ten, ten.flip(0)], dim=1)
    assert paradigms.bits_per_sample(both).item() == pytest.approx(2 * math.log2(10), abs=1e-5)
    bytes_ = torch.arange(256)[:, None].expand(256, 4)
    assert paradigms.bits_per_sample(bytes_).item() == pytest.approx(32, abs=1e-4)


def test_pseudo_labels_of_a_perfect_teacher_are_all_taken_and_right(digits):
    class Oracle(nn.Module):
        def forward(self, x):
            return 20 * nn.functional.one_hot(digits.y, 10).float()[: len(x)]

    labeled = adaptation.few_labels(digits, 2, seed=0)
    taught = paradigms.self_training(Oracle(), labeled, digits.x, threshold=0.9)
    assert torch.equal(taught.y, torch.cat([labeled.y, digits.y])) and len(taught.x) == 1020
    unsure = paradigms.self_training(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), labeled, digits.x, threshold=1.0)
    assert torch.equal(unsure.y, labeled.y)


def test_pseudo_labels_are_trusted_from_the_threshold_on():
    logits = torch.tensor([[-200.0, 0, -200], [300, 0, 0], [1.2, 0.9, -4]])
    z, confident = paradigms.select_pseudo_labels(logits, 1.0)
    assert z.tolist() == [1, 0, 0] and confident.tolist() == [True, True, False]


def test_consistency_has_known_values_and_only_the_strong_view_learns():
    weak = torch.tensor([[9.0, 0, 0], [0.1, 0, 0]], requires_grad=True)
    strong = torch.zeros(2, 3, requires_grad=True)
    loss = paradigms.consistency_loss(weak, strong, 0.9)
    assert loss.item() == pytest.approx(math.log(3) / 2), "one row of two is trusted"
    loss.backward()
    assert weak.grad is None and strong.grad[0].abs().max() > 0 and not strong.grad[1].any()
    assert paradigms.consistency_loss(weak, strong, 1.0).item() == 0


def test_fixmatch_learns_and_what_it_trusts_makes_a_difference(digits):
    def trained(threshold):
        views = augment.Crop(min_area=0.5)
        return paradigms.fixmatch(labeled, digits.x, views, views, steps=40, threshold=threshold)

    labeled, test = adaptation.few_labels(digits, 10, seed=0), data.load("digits").test
    same, again, other = (measures.embed(trained(threshold), test.x) for threshold in (2.0, 2.0, 0.0))
    assert torch.equal(same, again) and not torch.equal(same, other)
    assert (same.argmax(dim=1).cpu() == test.y).float().mean() > 0.4, "the labels alone teach something in 40 steps"


def test_fixmatch_learns_from_the_loss_that_it_is_given(digits):
    def spy(on_weak, on_strong, threshold):
        seen.append((on_weak.shape, on_strong.shape, on_weak.requires_grad, on_strong.requires_grad, threshold))
        return 0 * on_strong.sum()

    seen = []
    views = augment.Crop(min_area=0.5)
    paradigms.fixmatch(digits, digits.x, views, views, steps=2, threshold=0.7, consistency=spy)
    assert seen == [((96, 10), (96, 10), False, True, 0.7)] * 2


def test_rotation_turns_and_says_by_how_much():
    x = torch.rand(3, 1, 8, 8)
    inputs, z = pretext.Rotation(16).make(x, None)
    assert inputs.shape == (12, 1, 8, 8) and z.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    for picture, turns in zip(inputs, z.tolist(), strict=True):
        assert any(torch.equal(picture.rot90(-turns, dims=(1, 2)), original) for original in x)
    seen, again = pretext.Rotation(16, views=lambda turned, generator: 1 - turned).make(x, None)
    assert torch.equal(seen, 1 - inputs) and torch.equal(again, z)


def test_a_trained_network_tells_the_turns_of_digits_it_never_saw(digits):
    torch.manual_seed(0)
    encoder = encoders.ConvNet(1)
    task = pretext.Rotation(encoder.dim)
    unlabeled = data.Unlabeled("digits", digits.x)
    training.pretrain(encoder, task, unlabeled, epochs=4, batch_size=50, progress=False)
    inputs, z = task.make(measures.to_float(data.load("digits").test.x[:300]), None)
    with torch.no_grad():
        guessed = task.head(measures.embed(encoder, inputs)).argmax(dim=1)
    assert (guessed == z.to(guessed.device)).float().mean() > 0.85


def test_figures_label_their_axes(pixels):
    curve = {"1": 0.3, "all": 0.9}
    figure = paradigm_figures.label_curves(
        {"semi": {"FixMatch": curve}, "self": {"rotation": curve}},
        {"supervised": curve},
        {"rotation": {"1": (0.3, 0.1), "all": (0.9, 0.0)}},
        chance=0.1,
    )
    assert [len(axis.lines) for axis in figure.axes] == [3, 3], "a method, a reference and chance"
    assert [len(axis.collections) for axis in figure.axes] == [0, 1], "a band where the ledger has a spread"
    assert all(axis.get_xlabel() == "labels a class" for axis in figure.axes)
    points = paradigm_figures.clouds({"a": torch.rand(5, 2), "b": torch.rand(3, 2)}, "column", "row").axes[0]
    assert [len(cloud.get_offsets()) for cloud in points.collections] == [5, 3] and points.get_ylabel() == "row"
    dots = paradigm_figures.bits({"label": 3.3, "pixels": 1300.0}).axes[0]
    assert dots.get_xscale() == "log" and dots.get_xlim()[1] > 1300 and dots.get_xlabel()


def test_kmeans_slider_redraws(pixels, shown):
    path = paradigms.kmeans(pixels[:200], k=10, steps=3)
    paradigm_figures.kmeans_slider(pixels[:200], path, torch.eye(784)[:, 400:402])
    box, first = shown
    (slider,) = box.children
    assert slider.description == "step" and slider.max == 3
    slider.value = 2
    assert shown[-1].data != first.data
