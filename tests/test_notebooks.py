"""Every lesson: solved it passes nbval, blank it still runs to the end; it can be presented.

Solved it is run in full, once; blank in the smoke profile, for nothing but its answers tells the two apart. Seconds are
printed and not judged: a machine may be slow, or busy.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest
from nbclient import NotebookClient

from sslcourse import course, devices
from sslcourse.authoring.builder import duration
from sslcourse.cells import is_check, pictures

LESSONS = [pytest.param(lesson, id=lesson.file) for lesson in course.lessons()]
CELL_SECONDS = 600  # ten times what a long cell takes: against hanging, no more


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_output(cell) -> str:
    """What a check cell printed."""
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.lesson
@pytest.mark.parametrize("lesson", LESSONS)
def test_solved_lesson_passes_nbval(lesson, finished, tmp_path):
    notebook, report = tmp_path / lesson.notebook.name, tmp_path / "report.xml"
    nbformat.write(finished(lesson), notebook)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", str(notebook), "-q", "-p", "no:cacheprovider"]
    command += [f"--nbval-cell-timeout={CELL_SECONDS}", f"--junitxml={report}", "-o", "junit_duration_report=call"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-6000:]

    cells = ElementTree.parse(report).findall(".//testcase")
    assert len(cells) == len(code_cells(finished(lesson)))
    print(f"{lesson.id}, solved: {sum(float(cell.get('time')) for cell in cells):.0f} s")


@pytest.mark.lesson
@pytest.mark.parametrize("lesson", LESSONS)
def test_blank_lesson_runs_to_the_end(lesson, tmp_path):
    """Rule 5: an unsolved exercise never blocks, and nothing but its check tells a blank lesson from a solved one."""
    built = nbformat.read(lesson.notebook, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(nbformat.from_dict(built), timeout=CELL_SECONDS, kernel_name="python3", resources=resources)
    ran = client.execute(env=os.environ | {devices.PROFILE: "smoke"})
    errors = [cell.id for cell in code_cells(ran) if any(out.output_type == "error" for out in cell.outputs)]
    assert not errors, f"{lesson.id}, left blank, fails in cells {errors}"

    expected, printed = (
        {cell.id: check_output(cell) for cell in code_cells(nb) if is_check(cell)} for nb in (built, ran)
    )
    assert printed == expected and all("not solved yet" in text for text in printed.values())
    print(f"{lesson.id}, blank, smoke: {sum(map(duration, code_cells(ran))):.0f} s")


@pytest.mark.parametrize("lesson", LESSONS)
def test_built_notebook_can_be_read_and_presented(lesson):
    """Without a kernel, too: no error is shown, each check says that nothing is solved, each cell has its slide."""
    notebook = nbformat.read(lesson.notebook, as_version=4)
    nbformat.validate(notebook)
    slides = {"slide", "subslide", "fragment", "skip", "notes", "-"}
    for cell in notebook.cells:
        assert cell.metadata.get("slideshow", {}).get("slide_type") in slides, f"{cell.id} has no slide type"
    for cell in code_cells(notebook):
        assert not any(output.output_type == "error" for output in cell.outputs), f"{cell.id} shows an error"
    checks = {cell.id for cell in code_cells(notebook) if is_check(cell)}
    assert checks == {f"{name}-check" for name in lesson.exercises}
    for cell in code_cells(notebook):
        if is_check(cell):
            assert check_output(cell).startswith("✗"), f"{cell.id} does not say what is so: its answer is blank"
    assert {cell.id for cell in code_cells(notebook)} >= set(lesson.exercises)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_picture_has_alternative_text(lesson):
    """For readers who cannot see it: what is drawn, in more than a few words."""
    notebook = nbformat.read(lesson.notebook, as_version=4)
    told = [(cell.id, text) for cell in code_cells(notebook) for text in pictures(cell)]
    assert told, "no lesson is without a picture"
    untold = [cell for cell, text in told if len(text) < 20]
    assert not untold, f"{len(untold)} of {len(told)} pictures have none: {untold}"


def test_notebooks_are_what_the_course_says():
    result = subprocess.run(
        [sys.executable, "-m", "sslcourse", "build", "--check"], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
