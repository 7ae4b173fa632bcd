"""A student's answers, taken out of their notebook, set into the pristine lesson. The student's notebook never runs."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from sslcourse.course import Lesson
from sslcourse.errors import CourseError

# nbval obeys these comments in any cell: an answer must not be able to have itself skipped.
NBVAL_COMMENT = re.compile(r"#\s*(NBVAL_|PYTEST_VALIDATE_)\w+")


@dataclass
class Answers:
    """Exercise -> source of the answer, and exercise -> why there is none that can be used."""

    sources: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def read(path: str | Path) -> dict:
    """A notebook file as JSON; CourseError with one sentence where it is none, or of a format without cell ids."""
    path = Path(path)
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))  # some editors put a byte-order mark first
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        message = f"{path} is not a notebook: it is not valid JSON in UTF-8. Save it again from JupyterLab."
        raise CourseError(message) from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise CourseError(
            f"{path} holds no list of cells (is it of the old nbformat 3?). Open it in JupyterLab and save it again."
        )
    return content


def name_of(cell: dict) -> str | None:
    """The exercise that a cell answers: its id or, where a tool dropped the ids, nbgrader's grade_id."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return cell.get("id") or (nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None)


def source_of(cell: dict) -> str:
    """A cell's source, which files hold as one string or as a list of lines."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def answers(path: str | Path, lesson: Lesson) -> Answers:
    """The answer to each of the lesson's exercises, by cell id, wherever the cell stands now."""
    cells = read(path)["cells"]
    found = Answers()
    for name in lesson.exercises:
        mine = [cell for cell in cells if name_of(cell) == name]
        code = list(dict.fromkeys(source_of(cell) for cell in mine if cell.get("cell_type") == "code"))
        if len(code) == 1:
            found.sources[name] = code[0]
        elif code:
            found.missing[name] = f"there are {len(code)} different answer cells called {name}; keep one"
        elif mine:
            found.missing[name] = "its answer cell is no code cell any more; make it one (Esc, then Y)"
        else:
            found.missing[name] = "its answer cell was deleted; take it from a fresh copy of the lesson"
    return found


def merge(pristine: NotebookNode, sources: dict[str, str]) -> NotebookNode:
    """A copy of the pristine lesson, expected outputs and all, with answers set in by cell id."""
    merged = nbformat.from_dict(pristine)
    for cell in merged.cells:
        if cell.id in sources:
            cell.source = NBVAL_COMMENT.sub("#", sources[cell.id])
    return merged


def only_checks(notebook: NotebookNode) -> NotebookNode:
    """A copy with nothing but what decides the points: setup, answers and checks."""
    kept = nbformat.from_dict(notebook)
    kept.cells = [cell for cell in kept.cells if is_setup(cell) or "nbgrader" in cell.metadata]
    return kept


def is_setup(cell: NotebookNode) -> bool:
    return "setup" in cell.metadata.get("tags", [])


def is_check(cell: NotebookNode) -> bool:
    """Whether nbval compares this cell's output."""
    return "nbval-check-output" in cell.metadata.get("tags", [])
