"""Restricted Boltzmann machines: probabilities against enumeration, samples against probabilities, a trained one."""

import itertools
import math

import pytest
import torch
from matplotlib.figure import Figure

from sslcourse import data, figures, origins
from sslcourse.errors import CourseError
from sslcourse.figures import rbm as rbm_figures
from sslcourse.figures import sliders
from sslcourse.origins import sklearn_rbm


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_rbm(visible: int, hidden: int, spread: float = 1.0) -> origins.RBM:
    torch.manual_seed(0)
    rbm = origins.RBM(visible, hidden)
    for parameter in rbm.parameters():
        parameter.copy_(spread * torch.randn(parameter.shape))
    return rbm


def states(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)))


@pytest.fixture(scope="module")
def digits():
    """Binary digits: 1,000 to train, 200 to test."""
    loaded = origins.binarised(data.load("digits"))
    return [split.x.flatten(1)[:n] / 255 for split, n in ((loaded.train, 1000), (loaded.test, 200))]


@pytest.fixture(scope="module")
def trained(digits):
    torch.manual_seed(0)
    rbm = origins.RBM(784, 64)
    return rbm, rbm.fit(digits[0], 10, batch_size=20, persistent=True, last_lr=0.0, watch=True)


def test_free_energy_and_log_z_agree_with_enumeration():
    rbm = random_rbm(5, 4)
    v, h = states(5), states(4)
    energy = -(v @ rbm.b)[:, None] - (h @ rbm.c)[None] - v @ rbm.W @ h.T
    torch.testing.assert_close(rbm.free_energy(v), -torch.logsumexp(-energy, dim=1))
    assert origins.exact_log_z(rbm) == pytest.approx(torch.logsumexp(-energy.flatten(), 0).item(), abs=1e-5)
    p_h = (-energy).softmax(dim=1) @ h
    torch.testing.assert_close(origins.p_hidden(v, rbm.W, rbm.c), p_h)
    torch.testing.assert_close(origins.p_visible(h, rbm.W, rbm.b), (-energy).softmax(dim=0).T @ v)


def test_a_long_gibbs_chain_visits_each_state_as_often_as_it_is_likely():
    rbm = random_rbm(3, 3, 0.7)
    v = states(3)
    p = (-rbm.free_energy(v)).softmax(dim=0)
    n = 20_000
    found = rbm.sample(torch.zeros(n, 3), 50, generator())
    often = torch.bincount((found @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8) / n
    assert (often - p).abs().max() < 5 * (p * (1 - p) / n).sqrt().max()


def test_contrastive_divergence_is_the_gradient_of_the_difference_of_free_energies():
    rbm = random_rbm(6, 5)
    v, chain = states(6)[::5], states(6)[::7]
    u = origins.uniforms(chain, 5, 3, generator())
    *update, stopped = origins.contrastive_divergence(v, chain, rbm.W, rbm.b, rbm.c, u)
    rbm.requires_grad_()
    (rbm.free_energy(stopped).mean() - rbm.free_energy(v).mean()).backward()
    for got, parameter in zip(update, rbm.parameters(), strict=True):
        torch.testing.assert_close(got, parameter.grad)


def test_with_chains_at_equilibrium_the_update_vanishes_on_the_model_s_own_samples():
    rbm = random_rbm(3, 2, 0.5)
    n = 20_000
    own = rbm.sample(torch.zeros(n, 3), 50, generator())
    u = origins.uniforms(own, 2, 1, generator(1))
    *update, _ = origins.contrastive_divergence(own, own, rbm.W, rbm.b, rbm.c, u)
    assert max(change.abs().max() for change in update) < 5 * math.sqrt(0.5 / n)


def test_an_update_runs_on_the_meta_device():
    with torch.device("meta"):
        rbm = origins.RBM(784, 64)
        v = torch.empty(10, 784)
    u = origins.uniforms(v, 64, 2)
    dW, db, dc, chain = origins.contrastive_divergence(v, v, rbm.W, rbm.b, rbm.c, u)
    assert [t.shape for t in (dW, db, dc, chain)] == [rbm.W.shape, rbm.b.shape, rbm.c.shape, v.shape]
    assert {t.device.type for t in (dW, db, dc, chain)} == {"meta"}


def test_annealed_importance_sampling_finds_log_z():
    rbm = random_rbm(20, 6, 0.5)
    exact = origins.exact_log_z(rbm)
    estimate, error = origins.ais_log_z(rbm, torch.zeros(20), 500, 200, generator())
    assert abs(estimate - exact) < 0.1 and 0 < error < 0.1


def test_a_model_of_independent_pixels_is_estimated_without_error():
    rbm = random_rbm(8, 3)
    rbm.W.zero_()
    rbm.c.zero_()
    estimate, error = origins.ais_log_z(rbm, rbm.b.clone(), 1, 10, generator())
    assert estimate == pytest.approx(origins.exact_log_z(rbm), abs=1e-4) and error == pytest.approx(0, abs=1e-5)


def test_too_many_hidden_units_to_enumerate_are_refused():
    with pytest.raises(CourseError, match="2\\^21 hidden states are too many"):
        origins.exact_log_z(origins.RBM(4, 21))


def test_pseudo_likelihood_agrees_with_enumeration_and_with_scikit_learn_on_average():
    from sklearn.neural_network import BernoulliRBM

    rbm = random_rbm(5, 4)
    v = states(5)
    total = torch.zeros(len(v))
    for i in range(5):
        flipped = v.clone()
        flipped[:, i] = 1 - v[:, i]
        pair = torch.stack([-rbm.free_energy(v), -rbm.free_energy(flipped)])
        total += pair.log_softmax(dim=0)[0]
    exact = origins.pseudo_likelihood(rbm, v)
    torch.testing.assert_close(exact, total)
    theirs = BernoulliRBM(4, random_state=0, n_iter=0).fit(v.numpy())
    W, b, c = (parameter.numpy() for parameter in rbm.parameters())
    theirs.components_, theirs.intercept_visible_, theirs.intercept_hidden_ = W.T, b, c
    scores = theirs.score_samples(v.repeat(4000, 1).numpy())  # one pixel of each, at random
    assert scores.mean() == pytest.approx(exact.mean().item(), abs=float(5 * scores.std() / len(scores) ** 0.5))


def test_log_odds_give_each_pixel_its_frequency_with_two_samples_more():
    v = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    torch.testing.assert_close(origins.log_odds(v).sigmoid(), torch.tensor([4 / 6, 1 / 6]))


def test_the_exact_update_is_the_gradient_of_the_mean_log_likelihood():
    rbm, v = random_rbm(6, 5), states(6)[::5]
    *update, chain = origins.exact_update(v, v[:2], rbm.W, rbm.b, rbm.c)
    rbm.requires_grad_()
    log_z = torch.logsumexp(-rbm.free_energy(states(6)), dim=0)
    (-rbm.free_energy(v).mean() - log_z).backward()
    assert torch.equal(chain, v[:2])
    for got, parameter in zip(update, rbm.parameters(), strict=True):
        torch.testing.assert_close(got, parameter.grad, atol=1e-5, rtol=1e-4)


def test_a_model_s_own_samples_come_as_often_as_they_are_likely():
    rbm, n = random_rbm(3, 3), 20_000
    p = (-rbm.free_energy(states(3))).softmax(dim=0)
    found = origins.own_samples(rbm, n, generator())
    often = torch.bincount((found @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8) / n
    assert (often - p).abs().max() < 5 * (p * (1 - p) / n).sqrt().max()


def test_one_component_is_independent_pixels_and_more_find_clusters():
    v = (torch.rand(400, 12, generator=generator()) < 0.1).float()
    v[:200, :6], v[200:, 6:] = 1 - v[:200, :6], 1 - v[200:, 6:]  # two kinds, each with its half of the pixels on
    odds, weights = origins.fit_mixture(v, 1)
    torch.testing.assert_close(odds[0], origins.log_odds(v))
    assert weights.exp().sum() == pytest.approx(1.0)
    one, two = (origins.mixture_log_likelihood(v, *origins.fit_mixture(v, k, seed=1)).mean() for k in (1, 2))
    assert two > one + 2
    total = origins.mixture_log_likelihood(states(12), *origins.fit_mixture(v, 2)).logsumexp(dim=0)
    assert total == pytest.approx(0.0, abs=1e-4)


def test_training_calls_after_with_the_machine_before_the_first_epoch_and_after_each():
    called, rbm = [], origins.RBM(6, 3)
    rbm.fit(torch.rand(8, 6), 2, batch_size=4, watch=False, after=lambda machine: called.append(machine.W.clone()))
    assert len(called) == 3 and not torch.equal(called[0], called[1]) and torch.equal(called[-1], rbm.W)


def test_training_on_digits_learns(trained, digits):
    rbm, history = trained
    train, test = digits
    torch.manual_seed(0)
    before = origins.RBM(784, 64)
    for measure, better in ((origins.pseudo_likelihood, 1), (lambda rbm, v: (rbm.reconstruct(v) - v).square(), -1)):
        assert better * (measure(rbm, test).mean() - measure(before, test).mean()) > 0
    noise = (torch.rand(200, 784, generator=generator()) < origins.log_odds(train).sigmoid()).float()
    assert (rbm.free_energy(test)[:, None] < rbm.free_energy(noise)[None]).float().mean() > 0.8
    assert len(history.loss) == len(history.std) == len(history.rank) == 10 and history.loss[-1] < history.loss[0]
    assert rbm(test.view(-1, 1, 28, 28)).shape == (200, 64) and rbm.dim == 64


def test_the_same_seed_gives_the_same_machine_and_another_another(digits):
    def fitted(seed, **recipe):
        torch.manual_seed(0)
        rbm = origins.RBM(784, 8)
        rbm.fit(digits[0][:100], 2, seed=seed, watch=False, **recipe)
        return rbm.W

    assert torch.equal(fitted(0), fitted(0)) and not torch.equal(fitted(0), fitted(1))
    assert not torch.equal(fitted(0), fitted(0, persistent=True)) and not torch.equal(fitted(0), fitted(0, k=2))


def test_a_batch_that_is_not_full_and_real_values_are_welcome():
    rbm = origins.RBM(6, 3)
    rbm.fit(torch.rand(11, 6), 2, batch_size=4, persistent=True, watch=False)
    assert all(parameter.isfinite().all() for parameter in rbm.parameters())


@pytest.mark.parametrize("bad", [torch.rand(5, 7), torch.rand(5, 2, 3), 2 * torch.ones(5, 6), -torch.rand(5, 6)])
def test_what_is_no_matrix_of_values_between_0_and_1_gets_one_sentence(bad):
    with pytest.raises(CourseError, match=r"a matrix \(N,6\) of values in \[0,1\]"):
        origins.RBM(6, 3).fit(bad, 1, batch_size=2)


def test_a_batch_larger_than_the_data_gets_one_sentence():
    with pytest.raises(CourseError, match="batch_size is 10; it must lie between 1 and 5"):
        origins.RBM(6, 3).fit(torch.rand(5, 6), 1)


def test_binarised_digits_are_black_or_white_and_keep_their_labels():
    before, after = data.load("digits"), origins.binarised(data.load("digits"))
    assert set(after.train.x.unique().tolist()) == {0, 255} and after.test.x.dtype == torch.uint8
    assert torch.equal(before.val.y, after.val.y) and before.train.x.unique().numel() > 2


def test_figures_are_drawn(trained, digits):
    rbm, _ = trained
    places = rbm_figures.walk(rbm, digits[1][0], 5)
    assert places.shape == (6, 784)
    drawn = [rbm_figures.chain(rbm, places, steps) for steps in (0, 5)]
    drawn.append(figures.filters({"a": rbm.W, "b": rbm.W}, columns=3))
    assert [axis.get_ylabel() for axis in drawn[-1].axes] == ["a", "", "", "b", "", ""]
    drawn.append(rbm_figures.free_energies({"a": torch.randn(50), "b": torch.randn(40) + 3}, "CD-1"))
    drawn.append(rbm_figures.phases({"F": {"one": [1.0, 2.0], "two": [0.0, 3.0]}, "log p": {"one": [1, 2]}}))
    drawn.append(rbm_figures.gradients({"a": [-9.0, -5.0], "b": [-9.0, -4.0]}, {"a": [0.1], "b": [1.0]}, "a"))
    drawn.append(rbm_figures.annealing({"CD-1": {"coins": {10: [-3.0, 2.0], 100: [0.1]}}, "PCD": {"coins": {10: [0]}}}))
    assert all(isinstance(figure, Figure) for figure in drawn)
    assert [axis.get_title() for axis in drawn[0].axes][0] == "v at step 0"


def test_the_slider_steps_the_chain(trained, digits, monkeypatch):
    shown = []
    monkeypatch.setattr(rbm_figures, "explore", lambda draw, **controls: shown.append((draw, controls)))
    rbm_figures.gibbs_slider(trained[0], {"a digit": digits[1][0], "noise": torch.zeros(784)}, steps=4)
    draw, controls = shown[0]
    start, steps = controls["start"].widget(), controls["steps"].widget()
    assert (steps.value, steps.max) == (1, 4) and start.options == ("a digit", "noise")
    first, later = (sliders.image(draw(start="a digit", steps=n)).data for n in (0, 4))
    assert first != later


def test_scikit_learns_machine_is_measured_as_ours(digits):
    rbm = sklearn_rbm.train(digits[0][:40], hidden=8, epochs=2)
    assert rbm.W.shape == (784, 8) and rbm(digits[1][:3]).shape == (3, 8)
    assert rbm.free_energy(digits[1][:3]).isfinite().all()
