"""Autoencoders: PCA against scikit-learn, unrolling against the RBMs, starts, linear code units, trained networks."""

import math

import pytest
import torch

from sslcourse import data, origins, training
from sslcourse.figures import autoencoders as autoencoder_figures
from sslcourse.origins.autoencoders import linear_divergence
from sslcourse.training import History, parallel

SIZES = (784, 64, 16)


@pytest.fixture(scope="module")
def digits():
    """Digits (500,784) in [0,1]."""
    return data.load("digits").train.x[:500].flatten(1) / 255


@pytest.fixture(scope="module")
def stack(digits):
    torch.manual_seed(0)
    return origins.train_stack(digits, SIZES, epochs=5)


def test_pca_agrees_with_scikit_learn(digits):
    from sklearn.decomposition import PCA

    new = digits[400:]
    fitted = PCA(20, svd_solver="full").fit(digits[:400].numpy())
    theirs = torch.from_numpy(fitted.inverse_transform(fitted.transform(new.numpy())))
    torch.testing.assert_close(origins.pca_reconstruction(digits[:400], new, 20), theirs, atol=1e-4, rtol=0)


def test_more_components_never_reconstruct_the_training_data_worse(digits):
    errors = [origins.squared_error(digits, origins.pca_reconstruction(digits, digits, k)) for k in (1, 5, 30, 400)]
    assert errors == sorted(errors, reverse=True)
    everything = origins.pca_reconstruction(digits, digits, 500)
    torch.testing.assert_close(everything, digits, atol=1e-4, rtol=0)


def test_unrolled_is_the_way_up_and_down_through_the_rbms(digits, stack):
    up, down = origins.unroll(*stack)
    encoder, decoder = origins.MLP(SIZES).set(up), origins.MLP(SIZES[::-1]).set(down)
    (W_1, W_2), (b_1, b_2), (c_1, c_2) = stack
    code = origins.p_hidden(digits, W_1, c_1) @ W_2 + c_2
    torch.testing.assert_close(encoder(digits), code)
    expected = origins.p_visible(origins.p_visible(code, W_2, b_2), W_1, b_1)
    torch.testing.assert_close(origins.reconstruct(encoder, decoder, digits), expected)


def test_fine_tuning_leaves_the_rbms_alone(digits, stack):
    before = [[t.clone() for t in part] for part in stack]
    up, down = origins.unroll(*stack)
    task = origins.Autoencoding(SIZES)
    encoder = origins.MLP(SIZES).set(up)
    task.head.set(down)
    unlabeled = data.Unlabeled("digits", (255 * digits).round().to(torch.uint8).view(-1, 1, 28, 28))
    training.pretrain(encoder, task, unlabeled, epochs=1, batch_size=100, device="cpu", progress=False)
    assert not torch.equal(encoder.linear[0].weight, stack[0][0].T)
    for old, new in zip(before, stack, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(old, new, strict=True))


def test_an_unrolled_stack_reconstructs_better_than_a_random_start(digits, stack):
    def error(encoder, decoder):
        return origins.squared_error(digits, origins.reconstruct(encoder, decoder, digits))

    up, down = origins.unroll(*stack)
    unrolled = origins.MLP(SIZES).set(up), origins.MLP(SIZES[::-1]).set(down)
    torch.manual_seed(0)
    assert error(*unrolled) < 0.5 * error(
        origins.xavier_(origins.MLP(SIZES)), origins.xavier_(origins.MLP(SIZES[::-1]))
    )


def test_the_linear_update_is_the_gradient_of_its_free_energy():
    """CD's update is the gradient of F(chain) - F(v), where F(v) = -b.v - |v W + c|^2 / 2 for h ~ N(v W + c, 1)."""
    torch.manual_seed(0)
    W, b, c = torch.randn(7, 3), torch.randn(7), torch.randn(3)
    v = (torch.rand(20, 7) < 0.5).float()
    *update, chain = linear_divergence(v, v, W, b, c, [(torch.rand(20, 3), torch.rand(20, 7))])
    assert set(chain.unique().tolist()) <= {0.0, 1.0} and not torch.equal(chain, v)
    parameters = [p.clone().requires_grad_() for p in (W, b, c)]

    def energy(v):
        W, b, c = parameters
        return (-(v @ b) - (v @ W + c).square().sum(dim=1) / 2).mean()

    gradients = torch.autograd.grad(energy(chain) - energy(v), parameters)
    for mine, right in zip(update, gradients, strict=True):
        torch.testing.assert_close(mine, right, atol=1e-5, rtol=1e-4)


def test_starts_have_the_size_that_they_promise():
    torch.manual_seed(0)
    mlp = origins.MLP((784, 256, 30))
    for start, std in (
        (lambda m: origins.normal_(m, 0.01), 0.01),
        (origins.xavier_, math.sqrt(2 / (784 + 256))),
        (lambda m: origins.xavier_(m, gain=4), 4 * math.sqrt(2 / (784 + 256))),
        (origins.he_, math.sqrt(2 / 784)),
    ):
        assert start(mlp) is mlp
        assert mlp.linear[0].weight.std().item() == pytest.approx(std, rel=0.02)
        assert all(not layer.bias.any() for layer in mlp.linear)


def test_nothing_destroyed_is_the_ordinary_loss_and_damage_costs():
    torch.manual_seed(0)
    x, u = torch.rand(6, 20), torch.rand(6, 20)
    encoder, decoder = origins.MLP((20, 8)), origins.MLP((8, 20))
    plain = torch.nn.functional.binary_cross_entropy(decoder(encoder(x)).sigmoid(), x) * 20
    torch.testing.assert_close(origins.denoising_loss(x, u, 0.0, encoder, decoder), plain)
    gone = origins.denoising_loss(x, u, 1.0, encoder, decoder)
    torch.testing.assert_close(gone, origins.denoising_loss(x, u, 1.0, lambda x: encoder(0 * x), decoder))


def test_one_step_runs_on_the_meta_device():
    with torch.device("meta"):
        encoder, task = origins.MLP(SIZES), origins.Autoencoding(SIZES, destroyed=0.5)
    model = parallel.Model(encoder, task)
    x = torch.empty(16, 1, 28, 28, dtype=torch.uint8, device="meta")
    loss = training.step(model, torch.optim.SGD(model.parameters(), lr=0.1), x)
    assert loss.device.type == "meta" and loss.shape == ()


def test_the_network_stays_in_float32_under_autocast():
    mlp = origins.MLP((784, 8))
    with torch.autocast("cpu", torch.bfloat16):
        assert mlp(torch.rand(4, 1, 28, 28)).dtype == torch.float32


def test_small_random_weights_and_sgd_draw_one_picture_and_a_stack_does_not(digits):
    unlabeled = data.Unlabeled("digits", (255 * digits).round().to(torch.uint8).view(-1, 1, 28, 28))
    sizes = (784, 64, 32, 16)
    encoder, task = origins.MLP(sizes), origins.Autoencoding(sizes)
    settings = {"epochs": 10, "batch_size": 50, "lr": 1e-2, "device": "cpu", "progress": False}

    def spread():
        return origins.reconstruct(encoder, task.head, digits).std(dim=0).max().item()

    torch.manual_seed(0)
    origins.normal_(encoder, 0.01), origins.normal_(task.head, 0.01)
    history = training.pretrain(encoder, task, unlabeled, optimizer=torch.optim.SGD, **settings)
    assert history.loss[-1] < history.loss[0] and spread() < 0.01
    up, down = origins.unroll(*origins.train_stack(digits, sizes, epochs=10))
    encoder.set(up), task.head.set(down)
    training.pretrain(encoder, task, unlabeled, **settings)
    assert spread() > 0.1


def test_the_walk_shows_where_we_are_and_what_is_drawn():
    torch.manual_seed(0)
    decoder, codes, y = origins.MLP((2, 784)), torch.randn(200, 2), torch.randint(10, (200,))
    there, elsewhere = (autoencoder_figures.walk(decoder, codes, y, place, -0.5) for place in (0.5, 1.5))
    ring = there.axes[0].lines[0].get_xydata()
    assert ring.tolist() == [[0.5, -0.5]]
    drawn = torch.from_numpy(there.axes[1].images[0].get_array().data)
    expected = decoder(torch.tensor([[0.5, -0.5]])).sigmoid().view(28, 28).detach()
    torch.testing.assert_close(drawn, expected)
    assert (drawn != torch.from_numpy(elsewhere.axes[1].images[0].get_array().data)).any()


def test_figures_label_their_axes():
    codes, y = torch.randn(50, 2), torch.arange(50) % 10
    made = [
        autoencoder_figures.maps({"PCA": codes, "autoencoder": codes}, y),
        autoencoder_figures.errors({"a": {"SGD": 3.0, "Adam": 2.0}}, {"PCA": 1.0}),
        autoencoder_figures.runs(
            {name: {"a": History(loss=[3.0, 2.0], std=[0.5, 0.6], rank=[2.0, 3.0])} for name in ("SGD", "Adam")}
        ),
    ]
    for figure in made:
        assert all(axis.get_xlabel() for axis in figure.axes)
    errors = made[1].axes[0]
    assert errors.get_xscale() == "log" and {"3.0", "2.0", "PCA 1.0"} <= {text.get_text() for text in errors.texts}


def test_the_sliders_move_the_walk(shown):
    torch.manual_seed(0)
    autoencoder_figures.walk_sliders(origins.MLP((2, 784)), torch.randn(100, 2), torch.randint(10, (100,)))
    box, first = shown
    assert [slider.description for slider in box.children] == ["code 1", "code 2"]
    box.children[0].value = box.children[0].max
    assert shown[-1].data != first.data
