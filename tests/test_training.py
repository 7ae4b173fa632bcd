"""The loop: the same seed gives the same result, a kill costs nothing, labels are refused, ranks agree with one."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from sslcourse import cli, contrastive, data, devices, encoders, measures, pretext, pretrain, training
from sslcourse.errors import CourseError
from sslcourse.training import loop, parallel
from tests.conftest import ENCODERS, torchrun, weights


def fresh(temperature: float = 0.2):
    torch.manual_seed(0)
    encoder = encoders.ConvNet(3, widths=(16, 32, 64))
    return encoder, contrastive.SimCLR(encoder.dim, temperature)


TASKS = {
    "SimCLR": lambda encoder: contrastive.SimCLR(encoder.dim),
    "MoCo": lambda encoder: contrastive.MoCo(encoder, queue=64),
    "Rotation": lambda encoder: pretext.Rotation(encoder.dim),
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


def test_the_budget_follows_the_device_or_the_profile_that_was_asked_for(monkeypatch):
    monkeypatch.delenv(devices.PROFILE, raising=False)
    for kind, epochs in (("cpu", 2), ("cuda", 30)):
        monkeypatch.setattr(devices, "best_device", lambda kind=kind: torch.device(kind))
        assert devices.budget(cpu=2, gpu=30) == epochs
    for profile, epochs in (("cpu", 2), ("gpu", 30), ("smoke", 1), ("", 30)):
        monkeypatch.setenv(devices.PROFILE, profile)
        assert devices.budget(cpu=2, gpu=30) == epochs
    monkeypatch.setenv(devices.PROFILE, "tpu")
    with pytest.raises(CourseError, match="SSLCOURSE_PROFILE is 'tpu'; it must be one of cpu, gpu, smoke"):
        devices.budget(cpu=2, gpu=30)


@pytest.mark.parametrize("task", pretrain.tasks())
def test_torchrun_pretrains(tmp_path, task):
    out = tmp_path / "run.safetensors"
    options = f"--task {task} --data digits --epochs 1 --batch-size 500 --checkpoint {out}".split()
    result = torchrun(["-m", "sslcourse", "pretrain", *options], 2)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("epoch 1: loss") == 1, "one rank reports"
    assert out.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("simclr nothing", "There is no data set 'nothing'"),
        ("simclr scripture", "scripture holds no pictures, and SimCLR needs pictures"),
        ("autoencoding scripture", "scripture holds no pictures, and Autoencoding needs pictures"),
        ("simclr digits --batch-size 1", "batch_size is 1; it must lie between 2 and 3500"),
        ("simclr digits --checkpoint .", ". is not a checkpoint of this course"),
        ("sleep digits", "There is no task 'sleep'; choose one of autoencoding (destroyed=0); rotation; moco (temp"),
        ("moco digits --set depth=3", "--set depth=3: 'depth' is not a setting of moco (temperature=0.2, queue=2048"),
        ("moco digits --set queue=many", "--set queue=many: 'many' is not a number that queue can be"),
        ("simclr digits --device abacus", "There is no device 'abacus'"),
    ],
)
def test_the_command_line_speaks_in_sentences(options, sentence, monkeypatch, capsys):
    task, name, *more = options.split()
    monkeypatch.setattr(sys, "argv", ["sslcourse", "pretrain", "--task", task, "--data", name, *more])
    assert cli.main() == 2
    assert capsys.readouterr().err.startswith(f"sslcourse: {sentence}")


def test_a_setting_of_the_task_is_the_one_that_was_asked_for(monkeypatch, capsys):
    """Ten times the temperature gives another loss, and the same command the same one."""
    losses = []
    for temperature in (0.2, 0.2, 2.0):
        options = f"--task simclr --data sprites --epochs 1 --batch-size 1000 --set temperature={temperature}".split()
        monkeypatch.setattr(sys, "argv", ["sslcourse", "pretrain", *options])
        assert cli.main() == 0
        losses.append(capsys.readouterr().out.split(",")[0])
    assert losses[0] == losses[1] != losses[2]


def test_a_task_that_a_room_exports_is_found():
    for name, task in pretrain.tasks().items():
        assert issubclass(task, training.PretextTask) and name == task.__name__.lower()
    assert {"autoencoding", "moco", "rotation", "simclr"} <= pretrain.tasks().keys()


def test_a_batch_that_processes_cannot_share_is_refused(few, monkeypatch):
    monkeypatch.setattr(loop.parallel, "ranks", lambda: (0, 3))
    with pytest.raises(CourseError, match="batch_size is 128; it must be a multiple of 3, the processes"):
        training.pretrain(*fresh(), few, epochs=1, batch_size=128)
