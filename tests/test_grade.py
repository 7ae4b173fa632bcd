"""Grading a class: right answers get their points beside anything that a submission can do, and nothing is left."""

import csv
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import psutil
import pytest

from sslcourse import course
from tests.banks import hostile

LESSON = course.lesson("4.2")
SECONDS = 5  # what a cell may take here
NEIGHBOURS = [f"right-{n}" for n in range(4)]


@pytest.fixture(scope="session")
def solved(finished):
    """A solved notebook of lesson 4.2, as a dict of JSON."""
    return json.loads(nbformat.writes(finished(LESSON)))


def with_answer(notebook: dict, source: str) -> bytes:
    cells = [cell | {"source": source} if cell["id"] == "nt_xent" else cell for cell in notebook["cells"]]
    return json.dumps(notebook | {"cells": cells}).encode()


def hand_in(folder: Path, submissions: dict[str, bytes]) -> Path:
    """Write STUDENT/2_simclr.ipynb for each."""
    for student, content in submissions.items():
        (folder / student).mkdir(parents=True)
        (folder / student / "2_simclr.ipynb").write_bytes(content)
    return folder


def grade(
    submissions: Path, out: Path, *options: str, bare: bool = False, lesson: str = "4.2"
) -> subprocess.CompletedProcess:
    """`sslcourse grade`, as an instructor calls it; bare: where bubblewrap is not installed."""
    command = [sys.executable, "-m", "sslcourse", "grade", str(submissions), "--lesson", lesson, "--out", str(out)]
    environment = os.environ | ({"PATH": str(Path(sys.executable).parent)} if bare else {})
    return subprocess.run(
        [*command, "--timeout", str(SECONDS), *options], env=environment, capture_output=True, text=True, timeout=3600
    )


def results(out: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in (out / "results").glob("*.json")]
    return {result["student"]: result for result in found}


def points(result: dict) -> dict[str, int]:
    return {check["id"]: check["points"] for check in result["checks"]}


def all_points(out: Path) -> dict[str, dict[str, int]]:
    return {student: points(result) for student, result in results(out).items()}


def gradebook(out: Path) -> list[dict]:
    with (out / "gradebook.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def left_behind() -> list[str]:
    """Processes that grading, or a submission, has left running, and folders that it has left in /tmp."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    running = [line for line in lines if "sslcourse.grading" in line or "98765" in line or line.startswith("bwrap")]
    return running + [str(path) for path in Path("/tmp").glob("ssl????????")]


@pytest.fixture(scope="module", params=["contained", "bare"])
def hostile_batch(request, solved, tmp_path_factory):
    """(bare, results, stderr) of one batch with everything in the bank, and right submissions among it."""
    bare = request.param == "bare"
    if not bare and not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    folder, out = (tmp_path_factory.mktemp(request.param) / name for name in ("submissions", "grades"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = str(server.getsockname()[1])
        wanted = {name: answer for name, answer in hostile.ANSWERS.items() if answer.bare or not bare}
        submissions = {name: with_answer(solved, a.source.replace("PORT", port)) for name, a in wanted.items()}
        submissions |= {name: file.make(solved) for name, file in hostile.FILES.items()}
        submissions |= {name: json.dumps(solved).encode() for name in NEIGHBOURS}
        hand_in(folder, submissions)
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        done = grade(folder, out, bare=bare)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert done.returncode == 0, done.stderr[-3000:]
    return bare, results(out), done.stderr


BANK = {**hostile.ANSWERS, **hostile.FILES}


@pytest.mark.heavy
@pytest.mark.parametrize("name", BANK)
def test_hostile_and_broken_submissions_get_what_they_deserve(hostile_batch, name):
    bare, found, _ = hostile_batch
    expected = BANK[name]
    if bare and not getattr(expected, "bare", True):
        pytest.skip("is not contained without bubblewrap, and grading says so")
    result = found[name]
    assert points(result) == expected.points, result
    assert result["sentence"]
    if expected.status is not None:
        assert result["status"] == expected.status, result


@pytest.mark.heavy
def test_right_submissions_beside_them_keep_all_points_and_nothing_is_left(hostile_batch):
    bare, found, errors = hostile_batch
    assert [points(found[name]) for name in NEIGHBOURS] == [hostile.FULL] * len(NEIGHBOURS)
    assert not left_behind()
    assert errors.count("warning: ") == (1 if bare else 0)
    if bare:
        assert "can read what your account can read" in errors


@pytest.mark.heavy
@pytest.mark.parametrize("lesson", [pytest.param(each, id=each.id) for each in course.lessons() if each.max_points])
def test_every_lesson_can_be_graded(lesson, finished, tmp_path):
    notebooks = {"solved": nbformat.writes(finished(lesson)), "blank": lesson.notebook.read_text(encoding="utf-8")}
    folder = hand_in(tmp_path / "submissions", {name: text.encode() for name, text in notebooks.items()})
    done = grade(folder, tmp_path / "grades", "--timeout", "30", lesson=lesson.id)
    assert done.returncode == 0, done.stderr
    full = {name: exercise.points for name, exercise in lesson.exercises.items()}
    assert all_points(tmp_path / "grades") == {"solved": full, "blank": dict.fromkeys(full, 0)}


def of_bank(solved: dict, *names: str) -> dict[str, bytes]:
    """Submissions of the bank, by name."""
    return {
        name: with_answer(solved, hostile.ANSWERS[name].source) if name in hostile.ANSWERS else BANK[name].make(solved)
        for name in names
    }


@pytest.fixture(scope="module")
def mixed(solved, tmp_path_factory):
    """A small class of all kinds, and the folder of its undisturbed grades."""
    folder, out = tmp_path_factory.mktemp("mixed"), tmp_path_factory.mktemp("undisturbed") / "grades"
    names = ("exits", "sys-exit", "loops-when-called", "walks-gc", "prints-100-MB", "no-ids", "deep", "cut-off")
    class_of_16 = of_bank(solved, *names) | {f"right-{n}": json.dumps(solved).encode() for n in range(8)}
    hand_in(folder / "submissions", class_of_16)
    done = grade(folder / "submissions", out)
    assert done.returncode == 0, done.stderr
    return folder / "submissions", out


@pytest.mark.heavy
def test_killed_at_any_moment_it_goes_on_to_the_same_gradebook(mixed, tmp_path):
    folder, undisturbed = mixed
    out, moment = tmp_path / "grades", random.Random(0)
    command = [sys.executable, "-m", "sslcourse", "grade", str(folder), "--lesson", "4.2", "--out", str(out)]
    command += ["--timeout", str(SECONDS), "--resume"]
    for _ in range(10):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(moment.uniform(0.5, 12))
            process.kill()
        for result in (out / "results").glob("*.json"):
            json.loads(result.read_text())  # none is half written
        wait_until(lambda: not left_behind())
    done = grade(folder, out, "--resume")
    assert done.returncode == 0, done.stderr
    for name in ("gradebook.csv", "report.html"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()
    for path in undisturbed.rglob("*"):
        assert path.is_dir() or (out / path.relative_to(undisturbed)).read_bytes() == path.read_bytes()
    assert not list(out.rglob(".*"))  # no half-written files either


def wait_until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it is still not so"
        time.sleep(0.1)


@pytest.mark.heavy
def test_a_changed_submission_is_graded_anew_and_the_others_are_not(mixed, tmp_path, solved):
    folder, undisturbed = mixed
    shutil.copytree(folder, tmp_path / "submissions")
    shutil.copytree(undisturbed, tmp_path / "grades")
    (tmp_path / "submissions" / "right-0" / "2_simclr.ipynb").write_bytes(with_answer(solved, hostile.WRONG))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "grades" / "results").iterdir()}
    assert grade(tmp_path / "submissions", tmp_path / "grades", "--resume").returncode == 0
    changed = [path.stem for path, before in times.items() if path.stat().st_mtime_ns != before]
    assert changed == ["right-0"] and points(results(tmp_path / "grades")["right-0"]) == hostile.LOST


@pytest.mark.heavy
def test_grades_are_not_overwritten(mixed):
    folder, out = mixed
    before = (out / "gradebook.csv").read_bytes()
    done = grade(folder, out)
    assert done.returncode == 2 and "holds results already" in done.stderr and "Traceback" not in done.stderr
    assert (out / "gradebook.csv").read_bytes() == before


@pytest.mark.heavy
def test_a_right_solution_graded_a_hundred_times_gets_full_marks_a_hundred_times(solved, tmp_path):
    content = json.dumps(solved).encode()
    hand_in(tmp_path / "submissions", {f"s{n:03}": content for n in range(100)})
    begin = time.monotonic()
    done = grade(tmp_path / "submissions", tmp_path / "grades")
    assert done.returncode == 0, done.stderr
    print(f"{100 / (time.monotonic() - begin) * 60:.0f} submissions a minute")
    rows = gradebook(tmp_path / "grades")
    assert len(rows) == 100 and {(row["points"], row["status"], row["flags"]) for row in rows} == {("8", "graded", "")}


HIDDEN = """
from dataclasses import replace
import torch
from sslcourse.checks.simclr import CHECKS as LESSONS

def many_rows(rng):
    return [{"v": torch.randn(256, 8, generator=rng), "z": torch.arange(256).roll(128), "temperature": 0.2}]

CHECKS = {"nt_xent": replace(LESSONS["nt_xent"], cases=many_rows)}
"""
FITS_SMALL_INPUTS = hostile.RIGHT.replace("v, v)", "v[:100], v[:100])")  # what the lesson's own cases do not show


@pytest.mark.heavy
def test_a_hidden_check_must_be_passed_too_and_what_judges_otherwise_judges_anew(solved, tmp_path):
    submissions = {"right": json.dumps(solved).encode(), "fits": with_answer(solved, FITS_SMALL_INPUTS)}
    folder, out, hidden = hand_in(tmp_path / "submissions", submissions), tmp_path / "grades", tmp_path / "hidden.py"
    hidden.write_text(HIDDEN)
    assert grade(folder, out).returncode == 0
    assert all_points(out) == {"right": hostile.FULL, "fits": hostile.FULL}
    assert grade(folder, out, "--resume", "--hidden", str(hidden)).returncode == 0
    assert all_points(out) == {"right": hostile.FULL, "fits": hostile.LOST}


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("CHECKS = {'nothing': 3}", "maps exercises of lesson 4.2"),
        ("", "no attribute 'CHECKS'"),
        (None, "cannot be read"),
    ],
)
def test_hidden_checks_that_cannot_be_used_get_one_sentence(mixed, tmp_path, source, sentence):
    hidden = tmp_path / "hidden.py"
    if source is not None:
        hidden.write_text(source)
    done = grade(mixed[0], tmp_path / "grades", "--hidden", str(hidden))
    assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "grades").exists()


LEAVES = """
import builtins, ctypes, os, sys, torch, random
from pathlib import Path
# Where the course lies below /tmp, /tmp is the machine's own, and read-only.
folders = [f for f in (".", "/tmp", "/dev/shm", os.environ["JUPYTER_RUNTIME_DIR"]) if os.access(f, os.W_OK)]
marks = [Path(folder, "mark") for folder in folders]
def found():
    processes = [p for p in os.listdir("/proc") if p.isdigit() and b"98765" in Path("/proc", p, "cmdline").read_bytes()]
    shared = Path("/proc/sysvipc/shm").read_text().count("\\n") > 1
    return [str(m) for m in marks if m.exists()] + processes + ["shared"] * shared + (
        ["module"] * hasattr(torch, "mark") + ["builtin"] * hasattr(builtins, "mark")
        + ["env"] * ("MARK" in os.environ))
before = found()
for mark in marks: mark.write_text("the answer is 42")
os.mkdir("deep"); os.chmod("deep", 0)
torch.mark = builtins.mark = os.environ["MARK"] = "42"
ctypes.CDLL(None).shmget(4242, 4096, 0o1666)
if os.fork() == 0: os.setsid(); os.execvp("sleep", ["sleep", "98765"])
def nt_xent(v, z, temperature):
    if before: raise ValueError(f"left from another submission: {before}")
    if len(found()) < len(marks) + 4: raise ValueError(f"only {found()} could be left")
    raise ValueError("nothing was there before")
"""


@pytest.mark.heavy
def test_one_submission_leaves_nothing_for_the_next(solved, tmp_path):
    hand_in(tmp_path / "submissions", {f"s{n}": with_answer(solved, LEAVES) for n in range(6)})
    assert grade(tmp_path / "submissions", tmp_path / "grades", "--jobs", "1").returncode == 0
    for result in results(tmp_path / "grades").values():
        assert "nothing was there before" in result["checks"][1]["message"], result["checks"][1]


@pytest.fixture(scope="module")
def cluster():
    """A Dask scheduler and two worker processes: (address, workers)."""
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen([*dask, "--host", address, "--no-dashboard"], **quiet)
    start = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    workers = [subprocess.Popen([*start, "--no-nanny"], **quiet) for _ in range(2)]
    yield address, workers
    for process in (*workers, scheduler):
        process.terminate()
        process.wait(30)


@pytest.mark.heavy
def test_a_dask_cluster_gives_the_same_gradebook_though_a_worker_is_killed(mixed, cluster, tmp_path):
    folder, undisturbed = mixed
    address, workers = cluster
    out = tmp_path / "grades"
    command = [sys.executable, "-m", "sslcourse", "grade", str(folder), "--lesson", "4.2", "--out", str(out)]
    command += ["--timeout", str(SECONDS), "--scheduler", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: (out / "results").exists() and len(list((out / "results").glob("*.json"))) >= 4, 120)
        workers[0].kill()
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert (out / "gradebook.csv").read_bytes() == (undisturbed / "gradebook.csv").read_bytes()


@pytest.mark.heavy
def test_no_scheduler_gets_one_sentence(mixed, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    done = grade(mixed[0], tmp_path / "grades", "--scheduler", address)
    assert done.returncode == 2 and "There is no Dask scheduler" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.lesson
def test_gradescope_autograder_runs_where_gradescope_puts_it(solved, tmp_path):
    """Unzipped into source/, set up once, run_autograder beside it, submission/ in and results/results.json out."""
    made = [sys.executable, "-m", "sslcourse", "gradescope", "4.2", "--out", str(tmp_path / "autograder.zip")]
    subprocess.run(made, check=True, timeout=60)
    for folder in ("source", "submission", "results"):
        (tmp_path / folder).mkdir()
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        archive.extractall(tmp_path / "source")
    shutil.copy(tmp_path / "source" / "run_autograder", tmp_path)
    subprocess.run(["bash", "source/setup.sh"], cwd=tmp_path, check=True, capture_output=True, timeout=800)
    scores = []
    for content in (json.dumps(solved).encode(), with_answer(solved, hostile.WRONG), b"no notebook"):
        (tmp_path / "submission" / "homework.ipynb").write_bytes(content)
        subprocess.run(["bash", "run_autograder"], cwd=tmp_path, check=True, capture_output=True, timeout=200)
        report = json.loads((tmp_path / "results" / "results.json").read_text())
        assert [test["name"] for test in report["tests"]] == list(hostile.FULL)
        scores.append([test["score"] for test in report["tests"]])
    assert scores == [[2, 4, 2], [2, 0, 2], [0, 0, 0]]
    shutil.rmtree(tmp_path / "source")  # gigabytes
