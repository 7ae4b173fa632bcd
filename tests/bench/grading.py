"""Grading, beside nbgrader: submissions a minute of one solved notebook, with its start counted on our side only."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from sslcourse import cells
from sslcourse.course import Lesson
from sslcourse.grading import merge

OURS, THEIRS = 100, 12  # submissions a repeat
IN_KERNEL = """from sslcourse import checks
message = checks.judge(checks.by_exercise(checks.course.lesson({lesson!r}))[{name!r}], {name})
assert message is None, message"""


def solved(lesson: Lesson) -> nbformat.NotebookNode:
    """The built notebook with the author's answers, less the cells that do not count for points."""
    return merge.only_checks(merge.merge(cells.built(lesson), cells.answers(lesson)))


@contextmanager
def graders(lesson: Lesson) -> Iterator[tuple[Callable, Callable]]:
    """Two functions that return submissions a minute: `sslcourse grade`, and nbgrader's autograde in this process."""
    with tempfile.TemporaryDirectory() as folder:
        yield ours(lesson, Path(folder, "ours")), theirs(lesson, Path(folder, "theirs"))


def ours(lesson: Lesson, root: Path) -> Callable[[], float]:
    for n in range(OURS):
        path = root / "class" / f"s{n}" / lesson.notebook.name
        path.parent.mkdir(parents=True)
        nbformat.write(solved(lesson), path)
    command = [sys.executable, "-m", "sslcourse", "grade", str(root / "class"), "--lesson", lesson.id]

    def run() -> float:
        out = root / "grades"
        shutil.rmtree(out, ignore_errors=True)
        begin = time.perf_counter()
        subprocess.run([*command, "--out", str(out)], check=True, capture_output=True)
        minutes = (time.perf_counter() - begin) / 60
        points = [json.loads(path.read_text())["points"] for path in (out / "results").iterdir()]
        assert points == [lesson.max_points] * OURS
        return OURS / minutes

    return run


def theirs(lesson: Lesson, root: Path) -> Callable[[], float]:
    """nbgrader as its documentation uses it; the check cells hold the same checks, judged in the kernel."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    notebook = solved(lesson)
    for cell in notebook.cells:
        if cells.is_check(cell):
            cell.source = IN_KERNEL.format(lesson=lesson.id, name=cell.id.removesuffix("-check"))
    students = [f"s{n}" for n in range(THEIRS)]
    for folder in ("source", *(f"submitted/{student}" for student in students)):
        path = root / folder / "homework" / lesson.notebook.name
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    config = Config()
    config.CourseDirectory.root = str(root)
    # nbgrader looks for alembic on PATH.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    api = NbGraderAPI(config=config)
    must_succeed(api.generate_assignment("homework"))

    def run() -> float:
        begin = time.perf_counter()
        for student in students:
            must_succeed(api.autograde("homework", student, force=True, create=True))
        minutes = (time.perf_counter() - begin) / 60
        points = [submission["score"] for submission in api.get_submissions("homework")]
        assert points == [lesson.max_points] * THEIRS
        return THEIRS / minutes

    return run


def must_succeed(outcome: dict) -> None:
    """nbgrader's API reports failures as {"success": False, "error": ..., "log": ...}."""
    assert outcome["success"], f"{outcome.get('log')}{outcome.get('error')}"
