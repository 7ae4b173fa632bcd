"""Grading a class: right answers get their points beside anything that a submission can do, and nothing is left."""

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
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


def grade(submissions: Path, out: Path, *options: str, bare: bool = False) -> subprocess.CompletedProcess:
    """`sslcourse grade`, as an instructor calls it; bare: where bubblewrap is not installed."""
    command = [sys.executable, "-m", "sslcourse", "grade", str(submissions), "--lesson", "4.2", "--out", str(out)]
    environment = os.environ | ({"PATH": str(Path(sys.executable).parent)} if bare else {})
    return subprocess.run(
        [*command, "--timeout", str(SECONDS), *options], env=environment, capture_output=True, text=True, timeout=800
    )


def results(out: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in (out / "results").glob("*.json")]
    return {result["student"]: result for result in found}


def points(result: dict) -> dict[str, int]:
    return {check["id"]: check["points"] for check in result["checks"]}


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
