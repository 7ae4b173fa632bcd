"""What several tests need: pinned threads, data, processes, and lessons as a student who solved everything has them."""

import atexit
import os
import subprocess
import sys
import tempfile

# pytest -n 2 on two cores: more threads than cores would make all of them slow. Subprocesses inherit it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests leave the user's own cache alone; subprocesses inherit this one, too.
if "SSLCOURSE_CACHE" not in os.environ:
    trained = tempfile.TemporaryDirectory()
    atexit.register(trained.cleanup)
    os.environ["SSLCOURSE_CACHE"] = trained.name

import nbformat
import pytest
import torch

from sslcourse import cells, course, data, encoders, ledger, paths
from sslcourse.authoring import builder
from sslcourse.figures import sliders
from tests import tiny as tiny_course


@pytest.fixture(scope="session")
def finished():
    """lesson -> its built notebook, expected outputs and all, with the author's answers set in by cell id."""
    from sslcourse.grading.merge import merge

    def solve(lesson) -> nbformat.NotebookNode:
        return merge(cells.built(lesson), cells.answers(lesson))

    return solve


@pytest.fixture
def shown(monkeypatch):
    """What a cell would show: [what was displayed, ..., updates in place of the picture]."""
    output = []

    class Handle:
        def update(self, content):
            output.append(content)

    def display(content, display_id=None):
        output.append(content)
        return Handle() if display_id else None

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(sliders, "in_notebook", lambda: True)
    return output


@pytest.fixture
def few():
    """512 unlabeled photos."""
    photos = data.load("photos").unlabeled()
    return data.Unlabeled(
        "photos", photos.x[torch.randperm(len(photos), generator=torch.Generator().manual_seed(0))[:512]]
    )


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in module.state_dict().values()])


ENCODERS = {
    "ConvNet": lambda: encoders.ConvNet(3),
    "ViT": lambda: encoders.ViT(3),
    "ResNet18": lambda: encoders.ResNet18(3),
}


def torchrun(script, processes: int, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *script]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The tiny course, with a ledger, in the place of the real one; -> its lesson."""
    for name in ("ROOT", "COURSE", "NOTEBOOKS"):
        folder = {"ROOT": tmp_path, "COURSE": tmp_path / "course", "NOTEBOOKS": tmp_path / "notebooks"}[name]
        monkeypatch.setattr(paths, name, folder)
        folder.mkdir(exist_ok=True)
    (tmp_path / "course/1_first").mkdir()
    (tmp_path / "course/course.toml").write_text(tiny_course.MAP)
    (tmp_path / "course/references.bib").write_text(tiny_course.BIB)
    (tmp_path / "README.md").write_text(tiny_course.README)
    lesson = course.lesson("1.1")
    lesson.source.write_text(tiny_course.SOURCE)
    entries, units = {"score/us/all": [0.5, 0.6, 0.7]}, {"score/us/all": "accuracy"}
    ledger.write_entries(lesson.results, entries, {"lesson": "1.1", "seeds": [0, 1, 2], "seconds": [3, 4, 50]}, units)
    return lesson


@pytest.fixture
def built(tiny, monkeypatch):
    """The tiny course, built without a kernel: outputs as a run would leave them."""
    monkeypatch.setattr("sslcourse.authoring.builder.execute", tiny_course.pretend)
    builder.build(tiny)
    builder.write_pages()
    return tiny
