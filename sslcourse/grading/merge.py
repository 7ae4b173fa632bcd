"""A student's answers, taken out of their notebook, set into the pristine lesson. The student's notebook never runs."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from sslcourse.cells import is_setup
from sslcourse.course import Lesson
from sslcourse.errors import CourseError

# nbval obeys these comments in any cell: an answer must not be able to have itself skipped.
NBVAL_COMMENT = re.compile(r"#\s*(NBVAL_|PYTEST_VALIDATE_)\w+")


@dataclass
class Answers:
    """Exercise -> source of the answer; -> why there is none to be used; -> how it was found, if not by its id."""

    sources: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def read(path: str | Path) -> dict:
    """A notebook file as `parse` gives it; CourseError with one sentence where it cannot be read."""
    try:
        return parse(Path(path).read_bytes(), str(path))
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None


def parse(content: bytes, name: str) -> dict:
    """A notebook as a dict with a list of dicts "cells", whatever tool wrote it; CourseError where it is none."""
    try:
        notebook = json.loads(text_of(content))
    except (ValueError, RecursionError):
        raise CourseError(f"{name} is not a notebook: it is not valid JSON. Save it again from JupyterLab.") from None
    cells = cells_of(notebook)
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise CourseError(f"{name} is not a notebook: it holds no list of cells. Save it again from JupyterLab.")
    return notebook | {"cells": cells}


def text_of(content: bytes) -> str:
    """Notebooks are UTF-8; some editors put a byte-order mark first, and some write what their system is used to."""
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def cells_of(notebook: object) -> object:
    """What should be the list of cells. Those of nbformat 3 lie in worksheets, their source under "input"."""
    if not isinstance(notebook, dict):
        return None
    sheets = notebook.get("worksheets")
    if "cells" in notebook or not isinstance(sheets, list):
        return notebook.get("cells")
    cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
    return [cell | {"source": cell.get("input", cell.get("source", ""))} for cell in cells if isinstance(cell, dict)]


def name_of(cell: dict) -> str | None:
    """The exercise that a cell answers: its id or, where a tool dropped the ids, nbgrader's grade_id."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = cell.get("id") or (nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None)
    return name if isinstance(name, str) else None


def source_of(cell: dict) -> str:
    """A cell's source, which files hold as one string or as a list of lines; lone surrogates become question marks."""
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return text.encode("utf-8", "replace").decode("utf-8")


def answers(notebook: dict, lesson: Lesson) -> Answers:
    """The answer to each exercise, wherever it stands now: by cell id, by grade_id, or else by its function's name."""
    cells = notebook["cells"]
    found = Answers()
    for name in lesson.exercises:
        mine = [cell for cell in cells if name_of(cell) == name]
        code = distinct(mine)
        if not code and (code := distinct(cell for cell in cells if defines(cell, name))):
            found.notes[name] = "its cell has lost its id; it was found by its function's name"
        if len(code) == 1:
            found.sources[name] = code[0]
        elif code:
            found.missing[name] = f"there are {len(code)} different answer cells called {name}; keep one"
        elif mine:
            found.missing[name] = "its answer cell is no code cell any more; make it one (Esc, then Y)"
        else:
            found.missing[name] = "its answer cell was deleted; take it from a fresh copy of the lesson"
    return found


def distinct(cells: Iterable[dict]) -> list[str]:
    """The different sources among code cells."""
    return list(dict.fromkeys(source_of(cell) for cell in cells if cell.get("cell_type") == "code"))


def defines(cell: dict, name: str) -> bool:
    """Whether a code cell defines a function of this name."""
    return bool(re.search(rf"^(async )?def {name}\b|^{name} *= *lambda\b", source_of(cell), re.MULTILINE))


def merge(pristine: NotebookNode, sources: dict[str, str]) -> NotebookNode:
    """A copy of the pristine lesson, expected outputs and all, with answers set in by cell id."""
    merged = nbformat.from_dict(pristine)
    for cell in merged.cells:
        if cell.id in sources:
            cell.source = NBVAL_COMMENT.sub("#", sources[cell.id])
    return merged


def only_checks(notebook: NotebookNode) -> NotebookNode:
    """A copy with what decides the points: setup, answers and checks. nbval is to say what an answer raises."""
    kept = nbformat.from_dict(notebook)
    kept.cells = [cell for cell in kept.cells if is_setup(cell) or "nbgrader" in cell.metadata]
    for cell in kept.cells:
        cell.metadata.tags = [tag for tag in cell.metadata.get("tags", []) if tag != "raises-exception"]
    return kept
