"""What a lesson's cells mean: which answer, which check, which are needed by both; and the author's own answers.

Authoring writes cells and grading reads them; both stand on this file, and neither knows the other.
"""

import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from sslcourse.course import Lesson
from sslcourse.errors import BuildError, CourseError


def is_setup(cell: NotebookNode) -> bool:
    """Whether answers and checks need this cell."""
    return "setup" in cell.metadata.get("tags", [])


def is_check(cell: NotebookNode) -> bool:
    """Whether nbval compares this cell's output."""
    return "nbval-check-output" in cell.metadata.get("tags", [])


def pictures(cell: NotebookNode) -> list[str]:
    """The alternative text of each picture among a cell's outputs; it is empty where a picture has none."""
    shown = [output.get("data", {}) for output in cell.get("outputs", [])]
    elements = [element for data in shown for element in re.findall(r"<img\b[^>]*>", data.get("text/html", ""))]
    texts = [re.search(r'\balt="([^"]*)"', element) for element in elements]
    return [text[1].strip() if text else "" for text in texts] + ["" for data in shown if "image/png" in data]


def nbgrader(grade_id: str, solution: bool) -> dict:
    """nbgrader's metadata (schema 3) of an answer cell or of the check that grades it."""
    grade = not solution
    return {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }


def read_source(path: Path) -> NotebookNode:
    """A source file as jupytext reads it; each cell's name becomes its id."""
    try:
        notebook = jupytext.read(path, fmt="py:percent")
    except FileNotFoundError:
        raise BuildError(f"{path} is missing, but course.toml has the lesson.") from None
    seen = set()
    for cell in notebook.cells:
        name = cell.metadata.pop("title", "")
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's own
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name in seen:
            begin = cell.source.strip().splitlines()[0] if cell.source.strip() else "(empty)"
            raise BuildError(f"{path.name}: the cell that begins {begin!r} needs a name of its own, as `# %% my-name`.")
        seen.add(name)
        cell.id = name
    return notebook


def answers(lesson: Lesson) -> dict[str, str]:
    """Exercise -> the source of the author's answer."""
    return {cell.id: cell.source for cell in read_source(lesson.source).cells if cell.id in lesson.exercises}


def built(lesson: Lesson) -> NotebookNode:
    """A lesson's notebook as students get it. CourseError where it was never built."""
    if not lesson.notebook.exists():
        raise CourseError(f"{lesson.notebook.name} is missing; run `sslcourse build {lesson.id}`.")
    return nbformat.read(lesson.notebook, as_version=4)
