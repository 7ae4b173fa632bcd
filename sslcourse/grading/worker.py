"""A grading process: one box, one submission at a time; requests are JSON lines on stdin, outcomes on stdout.

For each run of a submission it forks a child, in which pytest and nbval are imported already; whatever a hostile
kernel does to that child, this process lives on, and knows what was judged before.
"""

import contextlib
import json
import os
import select
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import torch

from sslcourse import cells, course
from sslcourse.errors import CourseError
from sslcourse.grading import merge, plugin, zygote
from sslcourse.grading.box import Box, Kernel

PR_SET_PDEATHSIG = 1
CHECK_SECONDS = 0.2  # between two checks of what a submission uses
CHILD_MEMORY = 2 * 2**30  # bytes that a hostile kernel's messages may fill


@dataclass(frozen=True)
class Finding:
    """The outcome of a check. message: what is wrong, or ""; ran: whether there were outputs to judge."""

    message: str
    ran: bool


class Worker:
    """Grades answers of one lesson. The first arguments are those of `pool.Settings`."""

    def __init__(
        self, lesson: str, references: dict[str, str], seconds: float, hidden: str, contained: bool, folder: Path
    ):
        self.lesson, self.references, self.seconds, self.hidden = course.lesson(lesson), references, seconds, hidden
        self.pristine = cells.built(self.lesson)
        setup = "\n".join(cell.source for cell in self.pristine.cells if cells.is_setup(cell))
        self.folder, self.box = folder, Box(folder, setup, contained)

    def grade(self, answers: dict[str, str]) -> dict:
        """{"messages": exercise -> "" where right, else why not; "ended": how runs were cut short, if any were}.

        Where an answer ends its kernel, the exercises after it are judged in a new one. Where a check could not run, it
        is tried once more beside the author's other answers: another answer may have been at fault.
        """
        findings: dict[str, Finding] = {}
        ended = []
        sources = self.references | answers
        while pending := [name for name in self.references if name in answers and name not in findings]:
            judged, reason = self.run(sources, pending)
            findings |= judged
            if len(judged) < len(pending):
                blamed = next(name for name in pending if name not in judged)
                findings[blamed] = Finding(reason or "its check did not run", ran=True)
                ended.append(findings[blamed].message)
            sources |= {name: self.references[name] for name, finding in findings.items() if finding.message}
        if len(answers) > 1:
            for name in [name for name, finding in findings.items() if not finding.ran]:
                alone, _ = self.run(self.references | {name: answers[name]}, [name])
                findings |= alone
        return {"messages": {name: finding.message for name, finding in findings.items()}, "ended": ended}

    def run(self, sources: dict[str, str], pending: list[str]) -> tuple[dict[str, Finding], str]:
        """Judge exercises in a new kernel: (exercise -> finding, of those reached; why it ended early, or "")."""
        notebook = merge.only_checks(merge.merge(self.pristine, sources))
        done = {f"{name}-check" for name in self.references if name not in pending}
        notebook.cells = [cell for cell in notebook.cells if cell.id not in done]
        path = self.folder / "lesson.ipynb"
        nbformat.write(notebook, path)
        budget = 10 + self.seconds * (len(notebook.cells) + 1)
        kernel = self.box.spawn(cpu_seconds=int(budget))
        try:
            return self.watch(*self.fork(path, kernel), budget)
        finally:
            self.box.clean()
            if self.box.process is None:
                sweep()

    def fork(self, path: Path, kernel: Kernel) -> tuple[int, int, int]:
        """Fork a child that runs nbval: (pid, pipe to read findings from, pipe to close when the kernel dies)."""
        findings, tell = os.pipe()
        dead, alive = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(findings)
                os.close(alive)
                judge(path, kernel, self, tell, dead)
            finally:
                os._exit(1)
        os.close(tell)
        os.close(dead)
        return pid, findings, alive

    def watch(self, pid: int, findings: int, alive: int, budget: float) -> tuple[dict[str, Finding], str]:
        """Collect a child's findings until it ends, is too slow, or its kernel dies or uses too much."""
        judged, reason, unfinished = {}, "", b""
        deadline, next_check = time.monotonic() + budget, time.monotonic() + CHECK_SECONDS
        open_ends = [alive]
        try:
            while time.monotonic() < deadline:
                if select.select([findings], [], [], 0.02)[0]:
                    chunk = os.read(findings, 65536)
                    *lines, unfinished = (unfinished + chunk).split(b"\n")
                    for finding in map(json.loads, lines):
                        if "judged" in finding:
                            judged[finding["judged"]] = Finding(finding["message"], finding["ran"])
                        reason = reason or finding.get("ended", "")
                    if not chunk:
                        return judged, reason
                self.box.update()
                if time.monotonic() > next_check and open_ends:
                    next_check = time.monotonic() + CHECK_SECONDS
                    if excess := self.box.excess():
                        reason = f"an answer used {excess}"
                        self.box.clean()
                        self.box.alive = False
                if not self.box.alive and open_ends:
                    os.close(open_ends.pop())  # which the child notices, and ends
                    deadline = min(deadline, time.monotonic() + 5)
            return judged, reason or "the answers together took too long"
        finally:
            for end in (findings, *open_ends):
                os.close(end)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def judge(path: Path, kernel: Kernel, worker: Worker, tell: int, dead: int) -> None:
    """In the child: run nbval on a notebook, whose cells run in the boxed kernel; write findings to `tell`."""
    import resource

    import pytest

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    zygote.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    zygote.silence()
    resource.setrlimit(resource.RLIMIT_AS, (zygote.virtual_memory() + CHILD_MEMORY,) * 2)
    grader = plugin.Plugin(
        kernel=lambda: plugin.BoxedKernel(kernel.connection, dead, worker.seconds),
        lesson=worker.lesson.id,
        references=worker.references,
        hidden_checks=worker.hidden,
        tell=lambda finding: os.write(tell, json.dumps(finding).encode() + b"\n"),
    )
    options = ["--nbval-lax", "--noconftest", "-c", os.devnull, "--rootdir", str(path.parent)]
    options += ["-p", "nbval.plugin", "-p", "no:cacheprovider", "--color=no"]
    os._exit(pytest.main([str(path), *options], plugins=[grader]))


def sweep() -> None:
    """Kill what a stopped box has left: this process, as subreaper, inherits the orphans of its zygote."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(1)


def main() -> None:
    """Serve requests until stdin or the parent ends. The first line on stdin holds `Worker`'s arguments, as JSON."""
    import pytest  # noqa: F401  imported before the fork, so that children have it

    zygote.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    zygote.prctl(zygote.PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is open is closed
    settings = json.loads(sys.stdin.readline())
    torch.set_num_threads(1)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="ssl") as folder:
        worker = Worker(**settings, folder=Path(folder))
        try:
            for line in sys.stdin:
                try:
                    outcome = worker.grade(json.loads(line))
                except CourseError as error:
                    outcome = {"error": str(error)}
                print(json.dumps(outcome), file=answers, flush=True)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            worker.box.stop()
            sweep()


if __name__ == "__main__":
    main()
