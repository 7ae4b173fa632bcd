"""A course of one tiny lesson, 1.1, the command that runs it, and a kernel that only pretends to."""

import sys
from pathlib import Path

import nbformat

MAP = """
[[module]]
folder = "1_first"
title = "First things"

[[lesson]]
id = "1.1"
title = "A tiny lesson"
module = "1_first"
file = "1_tiny"
reading_minutes = 5
objectives = ["add two numbers"]
needs = []

[[lesson.exercise]]
name = "add"
points = 3
minutes = 1
difficulty = 2
"""
SOURCE = """# %% title [markdown]
# # A tiny lesson
# {{ course: objectives }}
#
# It scores {{ score/us/all }}, after [@smith2020].

# %% setup setup=true
from sslcourse import ledger
log = ledger.of_lesson("bench")  # a kernel knows the real course alone; recording is all that counts here

# %% exercise-text [markdown]
# ### Add
# {{ course: exercises }}

# %% add exercise="add"
def add(a, b):
    ### BEGIN SOLUTION
    the_secret_sum = a + b
    return the_secret_sum
    ### END SOLUTION


# %% add-check check="add"
try:
    print("✓ right" if add(1, 2) == 3 else "✗ wrong")
except NotImplementedError:
    print("✗ open")

# %% picture tags=["hide-input"]
import sys
print("progress", file=sys.stderr)
print("1 + 2 =", add(1, 2))
log.record("score/us/all", 0.5 + log.seed / 10, unit="accuracy")
"""
BIB = """@article{smith2020,
  author = {Smith, A. and Jones, B. and Li, C.},
  title = {T},
  year = {2020},
  url = {https://example.org/t},
}
"""
README = "# Tiny\n\n<!-- course:map -->\n<!-- end -->\n\n<!-- ledger:1.1 score/ -->\nold\n<!-- end -->\n"
RUN = """
import sys
from pathlib import Path
from sslcourse import cli, paths

paths.ROOT = Path({root!r})
paths.COURSE, paths.NOTEBOOKS = paths.ROOT / "course", paths.ROOT / "notebooks"
sys.argv = ["sslcourse", "run", *sys.argv[1:]]
sys.exit(cli.main())
"""


def command(root: Path) -> list[str]:
    """`sslcourse run` in a process that knows the course in root and no other."""
    return [sys.executable, "-c", RUN.format(root=str(root))]


def pretend(notebook, **_):
    """What a kernel would do to this notebook, timings and all."""
    solved = False
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.execution_count = number
        cell.metadata.execution = {"iopub.status.busy": str(number)}
        text = f"output of {cell.id}\n"
        solved = solved or "the_secret_sum" in cell.source
        if cell.id == "add-check":
            text = "✓ right\n" if solved else "✗ open\n"
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
        cell.outputs += [nbformat.v4.new_output("stream", name="stderr", text="progress")]
        view = {"application/vnd.jupyter.widget-view+json": {"model_id": str(number)}}
        cell.outputs += [nbformat.v4.new_output("display_data", data=view)]
    notebook.metadata.widgets = {"state": "large"}
    return 1.0


def edit(lesson, old: str, new: str) -> None:
    """Replace a text that the lesson's source holds."""
    content = lesson.source.read_text()
    assert old in content
    lesson.source.write_text(content.replace(old, new))
