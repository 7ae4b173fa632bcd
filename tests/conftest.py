"""What several tests need: pinned threads, and lessons as a student who solved everything would have them."""

import os

# pytest -n 2 on two cores: more threads than cores would make all of them slow. Subprocesses inherit it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import nbformat
import pytest


@pytest.fixture(scope="session")
def finished():
    """lesson -> its built notebook, expected outputs and all, with the author's answers set in by cell id."""
    from sslcourse import authoring
    from sslcourse.grading.merge import merge

    def solve(lesson) -> nbformat.NotebookNode:
        return merge(nbformat.read(lesson.notebook, as_version=4), authoring.answers(lesson))

    return solve


@pytest.fixture
def shown(monkeypatch):
    """What a cell would show: [what was displayed, ..., updates in place of the picture]."""
    from sslcourse import widgets

    output = []

    class Handle:
        def update(self, content):
            output.append(content)

    def display(content, display_id=None):
        output.append(content)
        return Handle() if display_id else None

    monkeypatch.setattr(widgets, "display", display)
    return output
