"""Set the answers from a student's notebook into the pristine lesson. The student's notebook itself never runs."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

from sslcourse.cells import is_setup
from sslcourse.course import Lesson
from sslcourse.errors import CourseError

# nbval obeys these comments in any cell: no answer may have itself skipped by them.
NBVAL_COMMENT = re.compile(r"#\s*(NBVAL_|PYTEST_VALIDATE_)\w+")


@dataclass
class Answers:
    """By exercise: the answer's source; why it has none that can be used; how it was found, if not by its id."""

    sources: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def read(path: str | Path) -> dict:
    """A notebook file as `parse` gives it; CourseError where it cannot be read."""
    try:
        return parse(Path(path).read_bytes(), str(path))
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None


def parse(content: bytes, name: str) -> dict:
    """A notebook as a dict with a list of dicts "cells", whatever tool wrote it; CourseError if it is none."""
    try:
        notebook = json.loads(text_of(content))
    except (ValueError, RecursionError):
        raise CourseError(f"{name} is not a notebook: it is not valid JSON. Save it again from JupyterLab.") from None
    cells = cells_of(notebook)
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise CourseError(f"{name} is not a notebook: it holds no list of cells. Save it again from JupyterLab.")
    return notebook | {"cells": cells}


def text_of(content: bytes) -> str:
    """A notebook's bytes as text: UTF-8, with or without a byte-order mark, UTF-16, or else Latin-1."""
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def cells_of(notebook: object) -> object:
    """What should be the list of cells. In nbformat 3, cells are in worksheets, and their source is "input"."""
    if not isinstance(notebook, dict):
        return None
    sheets = notebook.get("worksheets")
    if "cells" in notebook or not isinstance(sheets, list):
        return notebook.get("cells")
    cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
    return [cell | {"source": cell.get("input", cell.get("source", ""))} for cell in cells if isinstance(cell, dict)]


def name_of(cell: dict) -> str | None:
    """The name of a cell: its id or, where a tool dropped the ids, nbgrader's grade_id; None where it has none."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = cell.get("id") or (nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None)
    return name if isinstance(name, str) else None


def source_of(cell: dict) -> str:
    """A cell's source, in files a string or a list of lines; lone surrogates become question marks."""
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return text.encode("utf-8", "replace").decode("utf-8")


def answers(notebook: dict, lesson: Lesson) -> Answers:
    """The answer to each exercise, wherever it stands: found by cell id, by grade_id, or by its function's name."""
    cells = notebook["cells"]
    result = Answers()
    for name in lesson.exercises:
        named = [cell for cell in cells if name_of(cell) == name]
        sources = distinct(named)
        if not sources and (sources := distinct(cell for cell in cells if defines(cell, name))):
            result.notes[name] = "its cell has lost its id; it was found by its function's name"
        if len(sources) == 1:
            result.sources[name] = sources[0]
        elif sources:
            result.missing[name] = f"there are {len(sources)} different answer cells called {name}; keep one"
        elif named:
            result.missing[name] = "its answer cell is no code cell any more; make it one (Esc, then Y)"
        else:
            result.missing[name] = "its answer cell was deleted; take it from a fresh copy of the lesson"
    return result


def distinct(cells: Iterable[dict]) -> list[str]:
    """The different sources among code cells."""
    return list(dict.fromkeys(source_of(cell) for cell in cells if cell.get("cell_type") == "code"))


def defines(cell: dict, name: str) -> bool:
    """Whether a code cell defines a function of this name."""
    return bool(re.search(rf"^(async )?def {name}\b|^{name} *= *lambda\b", source_of(cell), re.MULTILINE))


def merge(pristine: NotebookNode, sources: dict[str, str]) -> NotebookNode:
    """A copy of the pristine lesson with answers set in by cell id; nbval expects every check to find them right."""
    from sslcourse import checks

    told = checks.of_lesson(pristine.metadata.sslcourse.lesson)
    right = {f"{name}-check": told.line(name, None) + "\n" for name in told.checks}
    merged = nbformat.from_dict(pristine)
    for cell in merged.cells:
        if cell.id in sources:
            cell.source = NBVAL_COMMENT.sub("#", sources[cell.id])
        if cell.id in right:
            cell.outputs = [new_output("stream", name="stdout", text=right[cell.id])]
    return merged


def only_checks(notebook: NotebookNode) -> NotebookNode:
    """A copy with only the cells that decide the points: setup, answers and checks.

    Without the tag "raises-exception", so that nbval reports what an answer raises.
    """
    graded = nbformat.from_dict(notebook)
    graded.cells = [cell for cell in graded.cells if is_setup(cell) or "nbgrader" in cell.metadata]
    for cell in graded.cells:
        cell.metadata.tags = [tag for tag in cell.metadata.get("tags", []) if tag != "raises-exception"]
    return graded
