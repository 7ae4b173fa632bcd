"""The loop: the same seed gives the same result, a kill costs nothing, labels are refused, ranks agree with one."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from sslcourse import contrastive, data, devices, encoders, measures, pretext, training
from sslcourse.errors import CourseError
from sslcourse.training import loop, parallel


@pytest.fixture
def few():
    """512 unlabeled photos."""
    photos = data.load("photos").unlabeled()
    return data.Unlabeled(
        "photos", photos.x[torch.randperm(len(photos), generator=torch.Generator().manual_seed(0))[:512]]
    )


def fresh(temperature: float = 0.2):
    torch.manual_seed(0)
    encoder = encoders.ConvNet(3, widths=(16, 32, 64))
    return encoder, contrastive.SimCLR(encoder.dim, temperature)


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in module.state_dict().values()])


TASKS = {
    "SimCLR": lambda encoder: contrastive.SimCLR(encoder.dim),
    "MoCo": lambda encoder: contrastive.MoCo(encoder, queue=64),
    "Rotation": lambda encoder: pretext.Rotation(encoder.dim),
}
ENCODERS = {
    "ConvNet": lambda: encoders.ConvNet(3),
    "ViT": lambda: encoders.ViT(3),
}


@pytest.mark.parametrize("make_encoder", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("make_task", TASKS.values(), ids=TASKS)
def test_one_step_runs_on_the_meta_device(make_encoder, make_task):
    """A tensor made on a device of its own choosing would raise here: mixing with meta is an error."""
    with torch.device("meta"):
        encoder = make_encoder()
        task = make_task(encoder)
    model = parallel.Model(encoder, task)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    x = torch.empty(16, 3, 32, 32, dtype=torch.uint8, device="meta")
    loss = training.step(model, optimizer, x)
    assert loss.device.type == "meta" and loss.shape == ()


def test_text_encoder_runs_on_the_meta_device_and_ignores_padding():
    with torch.device("meta"):
        encoder = encoders.TextEncoder(vocabulary=100)
    # Outside: what the encoder makes on a device of its own choosing must not land on meta by itself.
    assert encoder(torch.zeros(4, 12, dtype=torch.long, device="meta")).shape == (4, encoder.dim)
    torch.manual_seed(0)
    encoder = encoders.TextEncoder(vocabulary=100).eval()
    words = torch.randint(1, 100, (4, 12))
    padded = torch.cat([words, torch.zeros(4, 5, dtype=torch.long)], dim=1)
    torch.testing.assert_close(encoder(words), encoder(padded))
    nothing = torch.cat([words, torch.zeros(1, 12, dtype=torch.long)])
    torch.testing.assert_close(encoder(nothing)[4], torch.zeros(encoder.dim))


@pytest.mark.parametrize("make_encoder", ENCODERS.values(), ids=ENCODERS)
def test_encoders_give_one_row_a_sample(make_encoder):
    encoder = make_encoder().eval()
    x = torch.rand(4, 3, 32, 32)
    features = encoder(x)
    assert features.shape == (4, encoder.dim)
    torch.testing.assert_close(encoder(x[1:2]), features[1:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("task", "candidates"), [("SimCLR", 127), ("MoCo", 65)])
def test_training_beats_guessing_and_keeps_the_features_spread(few, task, candidates):
    torch.manual_seed(0)
    encoder = encoders.ConvNet(3, widths=(16, 32, 64))
    before = weights(encoder)
    history = training.pretrain(encoder, TASKS[task](encoder), few, epochs=6, batch_size=64, seed=0, progress=False)
    assert len(history.loss) == len(history.std) == len(history.rank) == 6
    assert history.loss[-1] < 0.9 * math.log(candidates)
    assert history.rank[-1] > 3 and history.std[-1] > 0.1
    assert history.samples == 6 * 512 and history.samples_per_second > 0
    assert not torch.equal(weights(encoder), before)


def test_the_same_seed_gives_the_same_encoder_and_another_seed_another(few):
    results = []
    for seed in (0, 0, 1):
        encoder, task = fresh()
        history = training.pretrain(encoder, task, few, epochs=2, batch_size=128, seed=seed, progress=False)
        results.append((weights(encoder), history.loss))
    assert torch.equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]
    assert not torch.equal(results[0][0], results[2][0])


KILLED = """
import sys, torch
from sslcourse import contrastive, data, encoders, training
torch.manual_seed(0)
encoder = encoders.ConvNet(3, widths=(16, 32, 64))
task = contrastive.{task}
photos = data.Unlabeled("photos", torch.load(sys.argv[1]))
training.pretrain(encoder, task, photos, epochs=40, batch_size=128, seed=3, checkpoint=sys.argv[2], progress=False)
torch.save(encoder.state_dict(), sys.argv[3])
"""


@pytest.mark.parametrize("task", ["SimCLR(encoder.dim)", "MoCo(encoder, queue=200)"], ids=["SimCLR", "MoCo"])
def test_a_killed_run_goes_on_to_the_same_result(few, tmp_path, task):
    torch.save(few.x, tmp_path / "x.pt")
    script = KILLED.format(task=task)

    def run(name: str) -> subprocess.Popen:
        files = [str(tmp_path / file) for file in ("x.pt", f"{name}.safetensors", name)]
        return subprocess.Popen([sys.executable, "-c", script, *files], env=os.environ | {"OMP_NUM_THREADS": "1"})

    assert run("whole").wait(120) == 0
    killed = run("killed")
    file, end = tmp_path / "killed.safetensors", time.monotonic() + 60
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert file.exists() and not (tmp_path / "killed").exists(), "killed between the first epoch and the last"
    assert run("killed").wait(120) == 0
    whole, resumed = (torch.load(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_finished_run_is_not_repeated_and_another_run_s_checkpoint_is_refused(few, tmp_path):
    encoder, task = fresh()
    options = {"batch_size": 128, "checkpoint": tmp_path / "run.safetensors", "progress": False}
    first = training.pretrain(encoder, task, few, epochs=2, **options)
    again, task_again = fresh()
    assert training.pretrain(again, task_again, few, epochs=2, **options) == first
    assert torch.equal(weights(again), weights(encoder))
    with pytest.raises(CourseError, match="checkpoint of another run: epochs differ"):
        training.pretrain(*fresh(), few, epochs=3, **options)
    colder, wider = contrastive.SimCLR(encoder.dim, temperature=0.9), encoders.ConvNet(3, widths=(16, 32, 72))
    with pytest.raises(CourseError, match="checkpoint of another run: settings differ"):
        training.pretrain(fresh()[0], colder, few, epochs=2, **options)
    with pytest.raises(CourseError, match="checkpoint of another run: weights differ"):
        training.pretrain(wider, contrastive.SimCLR(wider.dim), few, epochs=2, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"], "no half-written file is left"


def test_a_damaged_checkpoint_gets_one_sentence(few, tmp_path):
    path = tmp_path / "run.safetensors"
    for content in (b"", b"not a checkpoint at all", b"\x10\0\0\0\0\0\0\0" + json.dumps({}).encode().ljust(16)):
        path.write_bytes(content)
        with pytest.raises(CourseError, match="is not a checkpoint of this course"):
            training.pretrain(*fresh(), few, epochs=1, batch_size=128, checkpoint=path, progress=False)
    with pytest.raises(CourseError, match="is not a checkpoint of this course"):
        training.pretrain(*fresh(), few, epochs=1, batch_size=128, checkpoint=tmp_path, progress=False)


def test_the_meters_read_every_class(monkeypatch):
    """Photos lie class by class: the first rows are one photograph, whose features may well be alike."""
    photos, seen, embed = data.load("photos"), [], measures.embed
    monkeypatch.setattr(measures, "embed", lambda encoder, x: seen.append(x) or embed(encoder, x))
    training.pretrain(*fresh(), photos.unlabeled(), epochs=1, batch_size=1024, progress=False)
    assert len(seen) == 1 and len(seen[0]) == 256
    rows = torch.arange(0, len(photos.train), len(photos.train) // 256)[:256]
    assert torch.equal(seen[0].cpu(), photos.train.x[rows])
    assert photos.train.y[rows].unique().tolist() == list(range(13))


@pytest.mark.parametrize("labeled", ["Data", "Split", "tuple"])
def test_labeled_data_is_refused_with_the_reason(labeled):
    photos = data.load("photos")
    given = {"Data": photos, "Split": photos.train, "tuple": (photos.train.x, photos.train.y)}[labeled]
    with pytest.raises(CourseError, match=f"got {labeled}, which may hold labels.*data.unlabeled()"):
        training.pretrain(*fresh(), given, epochs=1)


@pytest.mark.parametrize("batch_size", [0, 1, 513])
def test_a_batch_that_cannot_be_is_refused(few, batch_size):
    with pytest.raises(CourseError, match=f"batch_size is {batch_size}; it must lie between 2 and 512"):
        training.pretrain(*fresh(), few, epochs=1, batch_size=batch_size)


def test_a_loss_that_is_not_finite_stops_training_in_one_sentence(few, tmp_path):
    encoder, task = fresh()
    task.criterion = lambda v, z, temperature: (v.sum() * 0).log()
    path = tmp_path / "run.safetensors"
    with pytest.raises(CourseError, match="in epoch 1: training has diverged. Try a smaller lr than 0.002"):
        training.pretrain(encoder, task, few, epochs=2, batch_size=128, checkpoint=path, progress=False)
    assert not path.exists(), "a diverged epoch is not worth a checkpoint"


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


def test_budget_follows_the_device(monkeypatch):
    for kind, epochs in (("cpu", 2), ("cuda", 30)):
        monkeypatch.setattr(devices, "best_device", lambda kind=kind: torch.device(kind))
        assert devices.budget(cpu=2, gpu=30) == epochs


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
"""
PAIRS = "torch.arange(2 * mine.shape[1]).roll(mine.shape[1])"


def torchrun(script, processes: int, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *script]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)


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


@pytest.mark.parametrize("task", ["simclr", "moco"])
def test_torchrun_pretrains(tmp_path, task):
    out = tmp_path / "run.safetensors"
    options = f"--task {task} --data digits --epochs 1 --batch-size 500 --checkpoint {out}".split()
    result = torchrun(["-m", "sslcourse.training", *options], 2)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("epoch 1: loss") == 1, "one rank reports"
    assert out.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--data", "nothing"], "There is no data set 'nothing'"),
        (["--data", "scripture"], "--data is scripture, which is no pictures"),
        (["--data", "digits", "--batch-size", "1"], "batch_size is 1; it must lie between 2 and 3500"),
        (["--data", "digits", "--checkpoint", "."], ". is not a checkpoint of this course"),
    ],
)
def test_the_command_line_speaks_in_sentences(options, sentence):
    command = [sys.executable, "-m", "sslcourse.training", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert result.stderr.startswith(f"sslcourse: {sentence}")


def test_a_batch_that_processes_cannot_share_is_refused(few, monkeypatch):
    monkeypatch.setattr(loop.parallel, "ranks", lambda: (0, 3))
    with pytest.raises(CourseError, match="batch_size is 128; it must be a multiple of 3, the processes"):
        training.pretrain(*fresh(), few, epochs=1, batch_size=128)


def test_meters_tell_collapse_from_spread():
    torch.manual_seed(0)
    spread = torch.randn(512, 32)
    line = torch.randn(512, 1) @ torch.randn(1, 32)
    point = torch.ones(512, 32)
    assert measures.feature_std(spread) == pytest.approx(1, abs=0.1)
    assert measures.feature_std(point) == 0
    assert measures.effective_rank(spread) > 28
    assert measures.effective_rank(line) == pytest.approx(1, abs=0.01)
    assert measures.effective_rank(point) == pytest.approx(1, abs=0.01)
