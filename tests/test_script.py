"""`sslcourse run` and `measure`: a lesson as a script, over seeds, on another device, and without Jupyter."""

import json
import os
import subprocess
import sys

import pytest
import torch

from sslcourse import cli, devices, ledger
from sslcourse.authoring import measuring, script
from sslcourse.errors import BuildError, CourseError
from tests.tiny import command

FIGURE = """
# %% drawn
from matplotlib import pyplot as plt
fig, axis = plt.subplots()
fig

# %% value
2 * 21

# %% nothing
x = 1
"""


def append(lesson, text: str) -> None:
    lesson.source.write_text(lesson.source.read_text() + text)


def test_cells_run_in_order_and_what_they_end_with_is_shown(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv(ledger.RECORD, raising=False)
    append(tiny, FIGURE)
    script.run(tiny, figures=tmp_path / "drawn")
    output = capsys.readouterr().out
    assert "✓ right" in output and "\n42\n" in output
    assert output.splitlines()[-1].startswith(f"1.1, profile cpu, on {devices.best_device()}: ")
    assert output.splitlines()[-1].endswith(" s, 1 numbers recorded")
    (picture,) = (tmp_path / "drawn").iterdir()
    assert picture.name == "05_drawn.png" and picture.read_bytes().startswith(b"\x89PNG")


def test_a_failing_cell_is_named_with_its_lines(tiny):
    append(tiny, "\n# %% bad\ndef divide(a):\n    return a / 0\n\n\ndivide(1)\n")
    lines = tiny.source.read_text().splitlines()
    last, inside = lines.index("divide(1)") + 1, lines.index("    return a / 0") + 1
    with pytest.raises(BuildError) as error:
        script.run(tiny)
    assert str(error.value).splitlines() == [
        "1_tiny.py, cell bad fails: ZeroDivisionError: division by zero",
        f"  line {last}: divide(1)",
        f"  line {inside}: return a / 0",
    ]


def test_a_cell_that_is_not_python_is_named_before_any_runs(tiny, capsys):
    append(tiny, "\n# %% bad\nx = (1\n")
    line = tiny.source.read_text().splitlines().index("x = (1") + 1
    with pytest.raises(BuildError, match=rf"1_tiny.py, cell bad fails: SyntaxError: .* line {line}\)"):
        script.run(tiny)
    assert capsys.readouterr().out == ""


def test_a_wrong_folder_for_figures_is_told_before_any_cell_runs(tiny, capsys):
    with pytest.raises(FileExistsError):
        script.run(tiny, figures=tiny.source)
    assert capsys.readouterr().out == ""


def test_seeds_side_by_side_give_the_same_ledger(tiny, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    alone = measuring.measure(tiny, command=command(tmp_path))
    together = measuring.measure(tiny, jobs=3, command=command(tmp_path))
    assert alone["entries"] == together["entries"] and alone["seeds"] == together["seeds"] == [0, 1, 2]
    assert together["cores"] == max(1, devices.cores() // 3) and alone["cores"] == devices.cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert measuring.cores_asked_for() == 1, "two measurements on one machine must not crowd each other out"


def test_each_profile_has_a_ledger_of_its_own(tiny, tmp_path, monkeypatch):
    before = tiny.results.read_bytes()
    measuring.measure(tiny, profile="gpu", command=command(tmp_path))
    assert tiny.ledger("gpu").name == "1_tiny.gpu.results.json" and tiny.results.read_bytes() == before
    content = json.loads(before)
    content["entries"]["score/us/all"]["mean"] = 0.25
    tiny.results.write_text(json.dumps(content))
    for profile, mean in (("cpu", 0.25), ("gpu", pytest.approx(0.6)), ("smoke", 0.25)):
        monkeypatch.setenv(devices.PROFILE, profile)
        assert ledger.of_lesson("1.1").measured["entries"]["score/us/all"]["mean"] == mean


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"profile": "smoke"}, "smoke learns nothing, so there is nothing to measure"),
        ({"profile": "tpu"}, "The profile is 'tpu'; it must be cpu or gpu"),
        ({"seeds": 2}, "2 seeds are too few"),
        ({"jobs": 0}, "jobs is 0; it must be at least 1"),
        ({"device": "abacus"}, "There is no device 'abacus' here; choose one of cpu"),
    ],
)
def test_what_cannot_be_measured_gets_one_sentence(tiny, options, sentence):
    with pytest.raises(CourseError, match=sentence):
        measuring.measure(tiny, **options)


def test_a_run_that_fails_is_named_with_its_last_words(tiny, tmp_path):
    append(tiny, "\n# %% bad\nassert log.seed < 1, 'too far'\n")
    before = tiny.results.read_bytes()
    with pytest.raises(BuildError, match="1.1, seed 1: 1_tiny.py, cell bad fails: AssertionError: too far"):
        measuring.measure(tiny, command=command(tmp_path))
    assert tiny.results.read_bytes() == before


def test_a_run_that_was_killed_is_told_with_its_last_lines(tiny, tmp_path):
    append(tiny, "\n# %% bad\nimport os\nprint('so far', flush=True)\nos.kill(os.getpid(), 9)\n")
    with pytest.raises(BuildError, match="1.1, seed 0: the run ended with code -9; its last lines:(?s:.*)\n  so far"):
        measuring.measure(tiny, command=command(tmp_path))


@pytest.fixture
def started(monkeypatch):
    """The runs that were started, in order."""
    runs = []

    class Noted(measuring.Run):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            runs.append(self)

    monkeypatch.setattr(measuring, "Run", Noted)
    return runs


WAIT = "\n# %% wait\nimport time\nassert log.seed, 'first'\ntime.sleep(600)\n"


@pytest.mark.parametrize(("jobs", "starts"), [(1, [0]), (2, [0, 1])])
def test_a_run_that_fails_ends_the_others(tiny, tmp_path, started, jobs, starts):
    append(tiny, WAIT)
    with pytest.raises(BuildError, match="1.1, seed 0: .* AssertionError: first"):
        measuring.measure(tiny, jobs=jobs, command=command(tmp_path))
    assert [run.seed for run in started] == starts
    assert all(run.process.poll() is not None for run in started)


def test_ctrl_c_ends_the_runs(tiny, tmp_path, started, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    append(tiny, WAIT)
    before = tiny.results.read_bytes()
    monkeypatch.setattr(measuring.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        measuring.measure(tiny, jobs=2, command=command(tmp_path))
    assert len(started) == 2 and all(run.process.poll() is not None for run in started)
    assert tiny.results.read_bytes() == before


def test_measure_names_the_device_that_its_runs_used(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv(devices.DEVICE, "abacus")  # what is asked for on the command line overrules it
    append(tiny, "\n# %% device\nfrom sslcourse import devices\nassert devices.best_device().type == 'cpu'\n")
    content = measuring.measure(tiny, device="cpu", command=command(tmp_path))
    assert content["device"] == devices.processor()


def test_the_device_that_was_asked_for_is_the_one(monkeypatch):
    monkeypatch.setenv(devices.DEVICE, "cpu")
    assert devices.best_device() == torch.device("cpu")
    for name in ("abacus", "cuda:77", "meta"):
        monkeypatch.setenv(devices.DEVICE, name)
        with pytest.raises(CourseError, match=f"There is no device '{name}' here; choose one of cpu"):
            devices.best_device()


def test_the_devices_of_an_accelerator_are_told_apart(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert devices.named("cuda") == torch.device("cuda") and devices.named("cuda:1").index == 1
    assert devices.named("cpu") == torch.device("cpu")
    with pytest.raises(CourseError, match="no device 'cuda:2' here; choose one of cpu, cuda:0, cuda:1"):
        devices.named("cuda:2")
    assert devices.full_name(torch.device("mps")) == f"{devices.processor()}, mps"


@pytest.mark.parametrize("options", [["--device", "abacus"], ["--profile", "tpu"]])
def test_a_run_that_cannot_start_gets_one_sentence(tiny, monkeypatch, capsys, options):
    for name in (devices.DEVICE, devices.PROFILE, ledger.SEED):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that what the command sets is undone
    monkeypatch.setattr(sys, "argv", ["sslcourse", "run", "1.1", *options])
    assert cli.main() == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and told.startswith("sslcourse: ") and options[1] in told


JUPYTER = ("jupyterlab", "ipywidgets", "nbval", "nbformat", "nbclient", "jupytext", "nbgrader", "nbconvert")
HIDDEN = """
import sys
for name in {names!r}:
    sys.modules[name] = None
from sslcourse import cli
sys.argv = ["sslcourse", "run", *sys.argv[1:]]
sys.exit(cli.main())
"""


@pytest.mark.lesson
@pytest.mark.parametrize("id", ["0", "4.2"])
def test_a_lesson_runs_where_jupyter_is_not_installed(id, tmp_path):
    names = (*JUPYTER, "IPython", "ipykernel", "jupyter_client")
    code = [sys.executable, "-c", HIDDEN.format(names=names)]
    options = [id, "--profile", "smoke", "--figures", str(tmp_path)]
    process = subprocess.run([*code, *options], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert f"{id}, profile smoke, on " in process.stdout
    assert list(tmp_path.glob("*.png"))
