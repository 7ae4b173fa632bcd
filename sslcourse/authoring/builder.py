"""Building: solved source -> executed -> blanked -> notebooks/, the same bytes each time but for images and timings."""

import json
import os
from datetime import datetime

import nbformat
from nbformat import NotebookNode

from sslcourse import course, paths
from sslcourse.authoring import text
from sslcourse.authoring.source import solved
from sslcourse.cells import is_check, is_setup
from sslcourse.course import Lesson
from sslcourse.errors import BuildError
from sslcourse.files import write_atomic

WIDGET = "application/vnd.jupyter.widget"


def execute(notebook: NotebookNode, timeout: int = 600, env: dict[str, str] | None = None) -> float:
    """Run a notebook in place, in the repository's root; returns the seconds that its cells took.

    Raises BuildError with the cell and the error where one fails.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", record_timing=True)
    client.resources = {"metadata": {"path": str(paths.ROOT)}}
    try:
        client.execute(env=os.environ | (env or {}))
    except CellTimeoutError:
        raise BuildError(f"a cell ran for more than {timeout} s.") from None
    except DeadKernelError:
        raise BuildError("the kernel died.") from None
    except CellExecutionError as error:
        # The last one: after a blank answer, which may fail, the notebook goes on.
        *_, failed = (
            cell.id for cell in notebook.cells if any(o.output_type == "error" for o in cell.get("outputs", []))
        )
        raise BuildError(f"cell {failed} fails: {error.ename}: {error.evalue}") from None
    return sum(map(duration, notebook.cells))


def duration(cell: NotebookNode) -> float:
    """Seconds that a cell took when it was executed."""
    timing = cell.metadata.get("execution", {})
    if "shell.execute_reply" not in timing:
        return 0.0
    begin, end = (datetime.fromisoformat(timing[key]) for key in ("iopub.status.busy", "shell.execute_reply"))
    return (end - begin).total_seconds()


def refused(notebook: NotebookNode) -> list[str]:
    """The check cells of a solved lesson that was run, save those that say that the author's answer is right."""
    checks = {
        cell.id: "".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells if is_check(cell)
    }
    return [id for id, printed in checks.items() if not printed.startswith("✓")]


def answer_nothing(notebook: NotebookNode) -> None:
    """Give the check cells of a blank notebook the outputs that they have for a blank: nothing is solved yet."""
    needed = [cell for cell in notebook.cells if is_setup(cell) or "nbgrader" in cell.metadata]
    trial = nbformat.from_dict(notebook | {"cells": needed})
    execute(trial)
    printed = {cell.id: cell.outputs for cell in trial.cells if is_check(cell)}
    for cell in notebook.cells:
        if cell.id in printed:
            cell.outputs = printed[cell.id]


def blanked(notebook: NotebookNode) -> NotebookNode:
    """A copy without solutions and hidden tests; an answer cell keeps no output."""
    try:
        from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
    except ImportError:
        raise BuildError("nbgrader is missing: run `make build`, which installs what authors need.") from None
    copy = nbformat.from_dict(notebook)
    for preprocessor in (ClearSolutions(), ClearHiddenTests()):
        copy, _ = preprocessor.preprocess(copy, {})
    for cell in copy.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.outputs = []
    return copy


def stripped(notebook: NotebookNode) -> NotebookNode:
    """A copy without what is different in each run, or shows nothing without a kernel: timings, progress, widgets."""
    copy = nbformat.from_dict(notebook)
    copy.metadata.pop("widgets", None)
    copy.metadata.language_info = NotebookNode(name="python")
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        cell.metadata.pop("execution", None)
        cell.outputs = [output for output in cell.outputs if not fleeting(output)]
        # nbval takes a cell that has outputs and no count for one that nobody ran.
        cell.execution_count = number if cell.outputs else None
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
    return copy


def fleeting(output: NotebookNode) -> bool:
    """Whether an output is a progress bar (on stderr) or a widget, which nothing draws without a kernel."""
    return output.get("name") == "stderr" or any(kind.startswith(WIDGET) for kind in output.get("data", {}))


def build(lesson: Lesson, run: bool = True) -> None:
    """Write a lesson's notebook. Without run, cells keep the outputs that the notebook of before has for them.

    The solved lesson is run for what it shows, and its checks once more for what they say of blank answers.
    """
    notebook = solved(lesson)
    if run:
        finished = executed(notebook, lesson)
    else:
        keep_outputs(notebook, lesson)
        finished = blanked(notebook)
    finished = stripped(finished)
    nbformat.validate(finished)
    write_atomic(lesson.notebook, json.dumps(finished, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def executed(notebook: NotebookNode, lesson: Lesson) -> NotebookNode:
    """A solved notebook with its outputs, blanked. BuildError where a cell fails, or a check refuses its answer."""
    try:
        execute(notebook)
        if wrong := refused(notebook):
            raise BuildError(f"the author's answer is refused in {', '.join(wrong)}.")
        finished = blanked(notebook)
        answer_nothing(finished)
    except BuildError as error:
        raise BuildError(f"{lesson.source.name}: {error}") from None
    return finished


def keep_outputs(notebook: NotebookNode, lesson: Lesson) -> None:
    """Take the outputs of the notebook that was built before, cell by cell."""
    if not lesson.notebook.exists():
        raise BuildError(f"{lesson.notebook.name} was never built: build it once with its outputs.")
    outputs = {cell.id: cell.get("outputs", []) for cell in nbformat.read(lesson.notebook, as_version=4).cells}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = outputs.get(cell.id, [])


def write_pages() -> None:
    """Bring README.md, the syllabus and the instructor guide up to date."""
    for path in text.pages():
        present, wanted = text.page(path)
        if present != wanted:
            write_atomic(path, wanted)


def stale(lessons: list[Lesson] | None = None) -> list[str]:
    """One sentence for each notebook, and README, that is not what course/ says; with no lessons named, of all.

    A lesson whose source breaks the rules, as with a claim that fails, has a sentence for each breach instead.
    """
    everything = course.lessons()
    sentences = [sentence for lesson in lessons or everything for sentence in stale_lesson(lesson)]
    if lessons is None:
        notebooks = {lesson.notebook for lesson in everything}
        present = (path for path in sorted(paths.NOTEBOOKS.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts)
        strays = [path.relative_to(paths.ROOT) for path in present if path not in notebooks]
        outdated = [path.name for path in text.pages() if len(set(text.page(path))) > 1]
        sentences += [f"{path} belongs to no lesson." for path in strays]
        advice = "is not what ledger and course say; run `sslcourse build --no-execute`."
        sentences += [f"{name} {advice}" for name in outdated]
    return sentences


def stale_lesson(lesson: Lesson) -> list[str]:
    """What is wrong with a lesson's source or, where nothing is, with its notebook."""
    try:
        source = solved(lesson)
    except BuildError as error:
        return str(error).splitlines()
    sentence = stale_notebook(lesson, blanked(source))
    return [sentence] if sentence else []


def stale_notebook(lesson: Lesson, source: NotebookNode) -> str | None:
    """What is not as it should be in a lesson's notebook, outputs apart; check cells must hold one.

    source: the lesson's notebook, not run, as students should have it.
    """
    name = lesson.notebook.relative_to(paths.ROOT)
    advice = f"run `sslcourse build {lesson.id}`."
    if not lesson.notebook.exists():
        return f"{name} is missing; {advice}"
    wanted, there = stripped(source), nbformat.read(lesson.notebook, as_version=4)
    if [cell.id for cell in wanted.cells] != [cell.get("id") for cell in there.cells]:
        return f"{name} has other cells than its source; {advice}"
    if wanted.metadata != there.metadata:
        return f"{name} has other metadata than its source; {advice}"
    for want, have in zip(wanted.cells, there.cells, strict=True):
        if any(want[part] != have.get(part) for part in ("cell_type", "source", "metadata")):
            return f"{name}, cell {want.id}, is not what its source says; {advice}"
        if is_check(have) and not have.outputs:
            return f"{name}, cell {want.id}, has lost its output; {advice}"
        if any(output.output_type == "error" for output in have.get("outputs", [])):
            return f"{name}, cell {want.id}, shows an error; {advice}"
    return None
