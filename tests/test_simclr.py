"""SimCLR and MoCo: losses and gradients on one process and on two, what they learn, what the temperature does."""

import math

import pytest
import torch

from sslcourse import contrastive, encoders, training
from sslcourse.figures import simclr as simclr_figures
from tests.conftest import torchrun, weights


@pytest.fixture
def pairs():
    torch.manual_seed(0)
    return torch.randn(16, 8), torch.arange(16).roll(8)


def test_temperature_sharpens_the_probabilities(pairs):
    v, z = pairs
    matrices = [simclr_figures.temperature_matrix(v, z, t).axes[0].images[0].get_array() for t in (0.01, 10)]
    for matrix in matrices:
        assert abs(matrix.sum(axis=1) - 1).max() < 1e-5 and abs(matrix.diagonal()).max() == 0
    assert matrices[0].max() > 0.99 and matrices[1].max() < 0.08
    shares = [bar.get_height() for bar in simclr_figures.temperature_matrix(v, z, 0.1).axes[1].patches]
    assert sum(shares) == pytest.approx(1, abs=1e-5) and shares == sorted(shares, reverse=True) and len(shares) == 14


def test_the_figure_labels_its_axes(pairs):
    drawn = [axis for axis in simclr_figures.temperature_matrix(*pairs, 0.2).axes if axis.get_label() != "<colorbar>"]
    assert drawn and all(axis.get_xlabel() for axis in drawn)


def test_what_each_layer_tells_is_drawn_layer_by_layer():
    table = {"encoder": {"size": 0.6, "turn": 0.3}, "head": {"size": 0.4, "turn": 0.1}}
    fig = simclr_figures.explained(table)
    (axis,) = fig.axes
    drawn = {dots.get_label(): dots.get_offsets()[:, 1].tolist() for dots in axis.collections}
    assert drawn == {"encoder": [0.6, 0.3], "head": [0.4, 0.1]} and axis.get_ylabel()
    assert "0.60 (size)" in fig.alt


def test_the_slider_redraws(pairs, shown):
    simclr_figures.temperature_slider(*pairs)
    box, first = shown
    (slider,) = box.children
    assert slider.description == "temperature" and slider.continuous_update is False
    assert "<img" in first.data, "a static figure stays in the notebook"
    slider.value = 1.0
    assert "<img" in shown[-1].data != first.data


@pytest.mark.parametrize(
    ("task_of", "candidates"),
    [
        (lambda encoder: contrastive.SimCLR(encoder.dim), 127),
        (lambda encoder: contrastive.MoCo(encoder, queue=64), 65),
    ],
    ids=["SimCLR", "MoCo"],
)
def test_training_beats_guessing_and_keeps_the_features_spread(few, task_of, candidates):
    torch.manual_seed(0)
    encoder = encoders.ConvNet(3, widths=(16, 32, 64))
    before = weights(encoder)
    history = training.pretrain(encoder, task_of(encoder), few, epochs=6, batch_size=64, seed=0, progress=False)
    assert len(history.loss) == len(history.std) == len(history.rank) == 6
    assert history.loss[-1] < 0.9 * math.log(candidates)
    assert history.rank[-1] > 3 and history.std[-1] > 0.1
    assert history.samples == 6 * 512 and history.samples_per_second > 0
    assert not torch.equal(weights(encoder), before)


def test_bf16_and_float32_agree_on_the_loss():
    """Where autocast is on, the loss is still computed in float32, and is near the one without it."""
    torch.manual_seed(0)
    encoder = encoders.ConvNet(3)
    task = contrastive.SimCLR(encoder.dim)
    inputs, z = task.make(torch.rand(64, 3, 32, 32), torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        low = task(encoder, inputs)
    assert low.dtype == torch.bfloat16
    full = task(encoder, inputs)
    torch.testing.assert_close(task.loss(low.float(), z), task.loss(full, z), atol=0.05, rtol=0)


TWO_RANKS = """
import os, torch
from torch import distributed as dist
from sslcourse import contrastive, encoders
from sslcourse.training import parallel

parallel.start()
rank, ranks = parallel.ranks()
torch.manual_seed(0)
encoder = encoders.ViT(3, dim=32, depth=1)
task = contrastive.{task}
model = parallel.distributed(parallel.Model(encoder, task), torch.device("cpu"))
x = torch.rand(2, 8, 3, 32, 32, generator=torch.Generator().manual_seed(1))  # two views of eight samples
mine = x[:, rank * 4 : rank * 4 + 4] if ranks > 1 else x
z = {z}
loss = task.loss(model(mine.flatten(0, 1)), z)
loss.backward()
grads = {{name: p.grad for name, p in encoder.named_parameters()}}
grads |= {{"head." + name: p.grad for name, p in task.head.named_parameters()}}
if ranks > 1 and {mean}:
    dist.all_reduce(loss.detach_(), op=dist.ReduceOp.SUM)
    loss = loss / ranks
torch.save((loss.detach(), grads), os.environ["OUT"] + str(rank))
# Two processes that take gloo down at the same moment now and then abort in it (std::terminate in its loop's
# thread). What is tested has been written: leave without taking anything down.
os._exit(0)
"""


PAIRS = "torch.arange(2 * mine.shape[1]).roll(mine.shape[1])"


@pytest.mark.parametrize(
    ("task", "z", "mean"),
    [
        ("SimCLR(encoder.dim)", PAIRS, False),
        ("MoCo(encoder, queue=64)", "torch.zeros(mine.shape[1], dtype=torch.long)", True),
    ],
    ids=["SimCLR", "MoCo"],
)
def test_two_processes_have_the_loss_and_gradient_of_one(tmp_path, task, z, mean):
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS.format(task=task, z=z, mean=mean))
    two = torchrun([script], 2, OUT=str(tmp_path / "two"))
    assert two.returncode == 0, two.stderr[-3000:]
    one = torchrun([script], 1, OUT=str(tmp_path / "one"))
    assert one.returncode == 0, one.stderr[-3000:]
    loss, grads = torch.load(tmp_path / "one0")
    for rank in (0, 1):
        loss_of_two, grads_of_two = torch.load(tmp_path / f"two{rank}")
        torch.testing.assert_close(loss_of_two, loss)
        for name, grad in grads.items():
            torch.testing.assert_close(
                grads_of_two[name], grad, atol=1e-6, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
            )
    assert max(grad.abs().max() for grad in grads.values()) > 1e-4, "there is a gradient to compare"
