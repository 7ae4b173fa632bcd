"""`sslcourse check NOTEBOOK`: a student's own notebook, judged as it will be graded."""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

import nbformat

from sslcourse import cells, course
from sslcourse.checks.apply import UNSOLVED
from sslcourse.course import Lesson
from sslcourse.errors import CourseError
from sslcourse.grading import merge
from sslcourse.grading.nbval_text import last_line, plain

CELL_SECONDS = 30  # answers and checks take a fraction of a second


@dataclass
class Verdict:
    """One exercise: points reached, whether it passed, and why not."""

    id: str
    points: int
    passed: bool
    message: str


def main_check(path: str, as_json: bool) -> int:
    """Check a notebook and print the verdicts; 0 when all pass, 1 otherwise. CourseError if it is no notebook."""
    lesson, verdicts = check_notebook(path)
    report = {
        "lesson": lesson.id,
        "points": sum(verdict.points for verdict in verdicts),
        "max_points": lesson.max_points,
        "checks": [asdict(verdict) for verdict in verdicts],
    }
    print(json.dumps(report, ensure_ascii=False, indent=1) if as_json else table(lesson, report))
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def check_notebook(path: str | Path) -> tuple[Lesson, list[Verdict]]:
    """The lesson that a notebook answers, and the verdict on each of its exercises."""
    handed_in = merge.read(path)
    lesson = lesson_of(handed_in, Path(path).stem)
    answers = merge.answers(handed_in, lesson)
    notebook = merge.only_checks(merge.merge(cells.built(lesson), answers.sources))
    failures = run(notebook)
    verdicts = []
    for name, exercise in lesson.exercises.items():
        message = answers.missing.get(name) or failures.get(f"{name}-check", "")
        verdicts.append(Verdict(name, 0 if message else exercise.points, not message, message))
    return lesson, verdicts


def lesson_of(notebook: dict, file_name: str) -> Lesson:
    """The lesson that a notebook is of: by its metadata or, where a tool dropped them, by its file name."""
    metadata = notebook.get("metadata")
    entry = metadata.get("sslcourse") if isinstance(metadata, dict) else None
    name = entry.get("lesson") if isinstance(entry, dict) else None
    return course.lesson(name or file_name)


def run(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Id of each check cell that failed -> why, by `pytest --nbval-lax` in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(notebook, Path(folder, "lesson.ipynb"))
        command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "lesson.ipynb"]
        command += [f"--nbval-cell-timeout={CELL_SECONDS}", "--junitxml=report.xml", "-p", "no:cacheprovider"]
        environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
        report = Path(folder, "report.xml")
        if not report.exists():
            raise CourseError(f"nbval could not run the lesson: {(done.stdout + done.stderr).strip()[-500:]}")
        cases = ElementTree.parse(report).findall(".//testcase")
    by_number = {int(re.search(r"\d+$", case.get("name")).group()): case for case in cases}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    checks = {number: cell for number, cell in enumerate(code) if cells.is_check(cell)}
    failures = {cell.id: failure(by_number.get(number)) for number, cell in checks.items()}
    for number, cell in enumerate(code):  # where a cell raises, its function stays the placeholder
        if failures.get(f"{cell.id}-check") == UNSOLVED and len(by_number[number]):
            failures[f"{cell.id}-check"] += f": its cell raised {last_line(nbval_report(by_number[number]))}"
    return {id: message for id, message in failures.items() if message}


def failure(case: ElementTree.Element | None) -> str:
    """Why a check cell failed, as the check printed or, where it did not run, as nbval reports; "" if it passed."""
    if case is None:
        return "it was not run: the kernel died before it. Does an answer end the process?"
    if not len(case):
        return ""
    text = nbval_report(case)
    if match := re.search(r"✗ \w+: (.*?)\.? The lesson goes on", text):
        return match.group(1)
    if "timed out" in text or "imeout" in text:
        return f"an answer did not end within {CELL_SECONDS} seconds, or its kernel died. Is there an endless loop?"
    return f"its check could not run: {last_line(text)}"


def nbval_report(case: ElementTree.Element) -> str:
    """All that nbval reports of a cell, without terminal colours."""
    return plain("".join(f"{part.get('message', '')}\n{part.text or ''}" for part in case))


def table(lesson: Lesson, report: dict) -> str:
    """The report as lines of text."""
    width = max(len(check["id"]) for check in report["checks"])
    lines = [f"{lesson.id} {lesson.title}"]
    for check in report["checks"]:
        points = f"{check['points']}/{lesson.exercises[check['id']].points}"
        mark, message = ("✓", "passed") if check["passed"] else ("✗", check["message"])
        lines.append(f"{mark} {check['id']:{width}}  {points:>5}  {message}")
    return "\n".join([*lines, f"{report['points']} of {report['max_points']} points"])
