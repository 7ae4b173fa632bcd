"""Grading processes, one for each thread that grades; they stay warm, and are replaced when lost."""

import hashlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass

from sslcourse import course, paths
from sslcourse.errors import CourseError
from sslcourse.grading.box import START_SECONDS, bubblewrap

LOST = "its grading process was ended, by the answer or by the machine"


@dataclass(frozen=True)
class Settings:
    """What a grading process must know.

    references: exercise -> the author's answer; seconds: time limit of a cell; hidden: source of hidden checks, or "".
    """

    lesson: str
    references: dict[str, str]
    seconds: float
    hidden: str

    @property
    def version(self) -> str:
        """A hash of all that verdicts depend on: these settings, the lesson and the package."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode())
        for path in (course.lesson(self.lesson).notebook, *sorted((paths.ROOT / "sslcourse").rglob("*.py"))):
            digest.update(path.read_bytes())
        return digest.hexdigest()


class WorkerProcess:
    """A process that runs `worker.Worker`. It dies with the thread that started it."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.process: subprocess.Popen | None = None

    def grade(self, answers: dict[str, str]) -> dict:
        """What `Worker.grade` returns. Where the process is lost, exercises are judged one by one, in new processes."""
        outcome = self.ask(answers)
        if outcome is not None:
            return outcome
        if len(answers) == 1:
            outcome = self.ask(answers)  # perhaps it was not the answer's fault
            return outcome or {"messages": dict.fromkeys(answers, LOST), "ended": [LOST]}
        alone = [self.grade({name: source}) for name, source in answers.items()]
        return {
            "messages": {name: text for part in alone for name, text in part["messages"].items()},
            "ended": [reason for part in alone for reason in part["ended"]],
        }

    def ask(self, answers: dict[str, str]) -> dict | None:
        """The answer to one request; None where the process ended, or took longer than its own limits allow."""
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(json.dumps(answers).encode() + b"\n")
            self.process.stdin.flush()
            line = self.read_line()
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            self.stop()
            return None
        outcome = json.loads(line)
        if "error" in outcome:
            self.stop()
            raise CourseError(outcome["error"])
        return outcome

    def start(self) -> None:
        """Start the process and send it its settings."""
        settings = asdict(self.settings) | {"contained": bubblewrap() is None}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sslcourse.grading.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C goes to the batch alone, which then ends its processes
        )
        # Not as an argument, which kernels could read: the settings hold the author's answers.
        self.process.stdin.write(json.dumps(settings).encode() + b"\n")

    def read_line(self) -> bytes:
        """One line, or the part of it that came before the process ended or its time was up."""
        exercises = len(self.settings.references)
        deadline = time.monotonic() + START_SECONDS + exercises * (20 + self.settings.seconds * (2 * exercises + 3))
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                return line
            if not (chunk := os.read(self.process.stdout.fileno(), 65536)):
                return line
            line += chunk
        return line

    def stop(self) -> None:
        """End the process, and with it its box."""
        process, self.process = self.process, None
        if process is None:
            return
        process.stdin.close()
        for end in (process.terminate, process.kill):
            try:
                process.wait(10)
                break
            except subprocess.TimeoutExpired:
                end()
        process.wait()
        process.stdout.close()


class Pool:
    """One WorkerProcess for each thread that calls `grade`."""

    def __init__(self, settings: Settings):
        self.settings, self.local, self.workers = settings, threading.local(), []

    def grade(self, answers: dict[str, str]) -> dict:
        if not hasattr(self.local, "worker"):
            self.local.worker = WorkerProcess(self.settings)
            self.workers.append(self.local.worker)
        return self.local.worker.grade(answers)

    def stop(self) -> None:
        for worker in self.workers:
            worker.stop()
