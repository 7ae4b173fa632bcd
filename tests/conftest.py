"""What several tests need: pinned threads, data, processes, and lessons as a student who solved everything has them."""

import os
import subprocess
import sys

# pytest -n 2 on two cores: more threads than cores would make all of them slow. Subprocesses inherit it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import nbformat
import pytest
import torch

from sslcourse import cells, data, encoders
from sslcourse.figures import sliders


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
}


def torchrun(script, processes: int, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *script]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)
