"""Lesson sources: jupytext's py:percent with a name and a few keys a cell -> notebooks with ids, tags and metadata."""

import re

from nbformat import NotebookNode, from_dict

from sslcourse.authoring import text, typed_numbers
from sslcourse.cells import nbgrader, read_source
from sslcourse.course import Lesson
from sslcourse.errors import BuildError

KEYS = {"exercise", "check", "setup", "slide", "tags"}
SLIDES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def solved(lesson: Lesson, unmeasured: bool = False) -> NotebookNode:
    """A lesson's notebook, not run, with its solutions, rendered text, cell ids and all metadata.

    unmeasured: numbers that are not in the ledger yet become a dash. Raises BuildError for a source that breaks the
    rules: cells without a name of their own, unknown keys, numbers typed by hand, missing entries, claims that fail. It
    has a line, which names the cell, for each cell or claim that is wrong.
    """
    notebook, wrong = read_source(lesson.source), []
    for cell in notebook.cells:
        try:
            finish(cell, lesson, unmeasured)
        except BuildError as error:
            wrong += [f"{lesson.source.name}, cell {cell.id}: {sentence}" for sentence in str(error).splitlines()]
    if wrong:
        raise BuildError("\n".join(wrong))
    check_names(notebook, lesson)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}, "sslcourse": {"lesson": lesson.id}}
    notebook.metadata = from_dict(metadata)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def finish(cell: NotebookNode, lesson: Lesson, unmeasured: bool) -> None:
    """Turn a cell's keys into metadata and render its text."""
    keys = dict(cell.metadata)
    if unknown := keys.keys() - KEYS:
        raise BuildError(f"{', '.join(sorted(unknown))} is not a key; keys are {', '.join(sorted(KEYS))}.")
    slide = keys.get("slide", default_slide(cell))
    if slide not in SLIDES:
        raise BuildError(f"slide is {slide!r}; it must be one of {', '.join(sorted(SLIDES))}.")
    cell.metadata = from_dict({"slideshow": {"slide_type": slide}})
    tags = list(keys.get("tags", []))
    if "exercise" in keys:
        cell.metadata.nbgrader = nbgrader(cell.id, solution=True)
        tags.append("raises-exception")  # Run All goes on: the check below says what is wrong
    if "check" in keys:
        points = lesson.exercises[keys["check"]].points if keys["check"] in lesson.exercises else 0
        cell.metadata.nbgrader = nbgrader(cell.id, solution=False) | {"points": points}
        tags.append("nbval-check-output")
    if keys.get("setup"):
        tags.append("setup")
    if tags:
        cell.metadata.tags = tags
    if cell.cell_type == "markdown":
        if numbers := typed_numbers.found(cell.source):
            raise BuildError(
                f"{numbers[0]!r} is typed by hand: take it from the ledger or course.toml, as {{{{ key }}}}."
            )
        cell.source = text.render(cell.source, lesson, unmeasured)


def default_slide(cell: NotebookNode) -> str:
    """A heading begins a slide, a lesser one goes below it, and all else stays on the slide that there is."""
    if cell.cell_type != "markdown":
        return "-"
    heading = re.match(r"#+ ", cell.source)
    return "-" if not heading else "slide" if len(heading.group()) <= 3 else "subslide"


def check_names(notebook: NotebookNode, lesson: Lesson) -> None:
    """Refuse a source with other exercises than the map: answers are looked up by cell id."""
    graded = {cell.id: cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata}
    exercises = {id for id, metadata in graded.items() if metadata["solution"]}
    checks = {id for id, metadata in graded.items() if metadata["grade"]}
    if exercises != set(lesson.exercises) or checks != {f"{name}-check" for name in lesson.exercises}:
        raise BuildError(
            f"{lesson.source.name}: course.toml has the exercises {sorted(lesson.exercises)}; the source has answer "
            f"cells {sorted(exercises)} and check cells {sorted(checks)} (NAME needs NAME and NAME-check)."
        )
