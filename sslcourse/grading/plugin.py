"""A plugin for nbval: it runs the pristine lesson in a boxed kernel, and reaches the verdicts outside the box.

A check cell has the kernel hand over the outputs of the student's function at fresh inputs. The verdict on them, not
what the kernel prints, is the output that nbval compares with the one in the lesson.
"""

import select
import time
from collections.abc import Callable
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile

from sslcourse import checks
from sslcourse.checks import Check
from sslcourse.checks.apply import UNSOLVED
from sslcourse.grading import hand_over, hidden, wire
from sslcourse.grading.nbval_text import last_line

MESSAGES = 2000  # that a cell may publish; prints are none, for the kernel has no stdout
LONGEST_MESSAGE = 300  # characters


class Ended(Exception):
    """The kernel cannot be used any more; the text says why."""


class BoxedKernel:
    """Has the interface of nbval's RunningKernel, for a kernel that `Box` started and will stop.

    dead: a file descriptor that becomes readable, because its other end is closed, when the kernel has died; seconds:
    time limit of a cell.
    """

    def __init__(self, connection: dict, dead: int, seconds: float):
        self.dead, self.seconds, self.count = dead, seconds, 0
        self.kc = BlockingKernelClient()
        self.kc.load_connection_info(connection)
        self.kc.start_channels(stdin=False, hb=False)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:  # outputs published before we are subscribed would be lost
            try:
                if self.get_message("iopub", 0.1)["msg_type"] == "iopub_welcome":
                    break
            except Empty:
                self.kc.kernel_info()

    def is_alive(self) -> bool:
        return not select.select([self.dead], [], [], 0)[0]

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        self.count = 0
        return self.kc.execute(source, store_history=False, allow_stdin=allow_stdin, stop_on_error=False)

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait until an execution ends; Ended where the kernel dies or takes too long."""
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline:
            try:
                message = self.get_message("shell", 0.1)
            except Empty:
                continue
            if message["parent_header"].get("msg_id") == msg_id:
                return
        raise Ended(f"an answer did not end within {self.seconds:g} seconds. Is there an endless loop?")

    def await_idle(self, msg_id: str, timeout: float) -> None:
        while True:
            message = self.get_message("iopub", timeout)
            if message["parent_header"].get("msg_id") == msg_id and is_idle(message):
                return

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        """The next message of a stream; Empty where none comes in time, Ended where none can come any more."""
        receive = self.kc.get_shell_msg if stream == "shell" else self.kc.get_iopub_msg
        deadline = time.monotonic() + (self.seconds if timeout is None else timeout)
        while True:
            try:
                message = receive(timeout=min(0.1, max(0.001, deadline - time.monotonic())))
            except Empty:
                if not self.is_alive():
                    raise Ended("the kernel died. Does an answer end the process, or use too much memory?") from None
                if time.monotonic() >= deadline:
                    raise
                continue
            self.count += 1
            if self.count > MESSAGES:
                raise Ended(f"an answer published more than {MESSAGES} messages")
            return message

    def stop(self) -> None:
        self.kc.stop_channels()

    def interrupt(self) -> None:
        """Do nothing: the kernel of an answer that takes too long is not used again."""


def is_idle(message: dict) -> bool:
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


class Plugin:
    """Replaces nbval's collector by one that grades.

    references: exercise -> the author's answer, which replaces a wrong one, for later answers to build on.
    hidden_checks: source of the instructor's file of them, or "". tell: called with each finding, a dict of plain data.
    """

    def __init__(
        self,
        kernel: Callable[[], BoxedKernel],
        lesson: str,
        references: dict[str, str],
        hidden_checks: str,
        tell: Callable,
    ):
        self.kernel, self.checks, self.references, self.tell = kernel, checks.of_lesson(lesson), references, tell
        self.hidden = hidden.load(hidden_checks, self.checks.lesson) if hidden_checks else {}
        self.raised: dict[str, str] = {}  # exercise -> what its answer raised when it was defined

    def checks_of(self, name: str) -> list[Check]:
        """The lesson's check of an exercise, and the instructor's hidden one if there is one."""
        return [self.checks.checks[name], *([self.hidden[name]] if name in self.hidden else [])]

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, parent):
        files = yield
        return [GradedFile.from_parent(parent, path=file.path, grader=self) for file in files]


class GradedFile(IPyNbFile):
    """A lesson whose cells run in a boxed kernel."""

    def __init__(self, *args: Any, grader: Plugin, **options: Any):
        super().__init__(*args, **options)
        self.grader = grader

    def setup(self) -> None:
        self.kernel = self.grader.kernel()

    def teardown(self) -> None:
        if self.kernel:
            self.kernel.stop()

    def collect(self):
        kinds = {None: IPyNbCell, True: CheckCell, False: AnswerCell}
        for item in super().collect():
            kind = kinds[item.cell.metadata.get("nbgrader", {}).get("grade")]
            yield kind.from_parent(self, name=item.name, cell_num=item.cell_num, cell=item.cell, options=item.options)


class AnswerCell(IPyNbCell):
    """A student's answer. It may raise: its check says what is wrong."""

    def runtest(self) -> None:
        try:
            super().runtest()
        except Ended as ended:
            self.parent.grader.tell({"ended": str(ended)})
            self.session.shouldstop = str(ended)
            raise
        except Exception as error:
            self.parent.grader.raised[self.cell.id] = reason(error)
            raise


def reason(error: Exception) -> str:
    """The last line of what a cell raised or, where it raised nothing, of nbval's report."""
    return last_line(getattr(error, "inner_traceback", "") or str(error), otherwise=type(error).__name__)


class CheckCell(AnswerCell):
    """A check: outputs come from the kernel, and nbval compares what `judge` says with what a right answer gets."""

    message: str | None = None
    ran = False  # whether there were outputs to judge

    def runtest(self) -> None:
        grader, name = self.parent.grader, self.cell.id.removesuffix("-check")
        self.cases = [(check, inputs) for check in grader.checks_of(name) for inputs in checks.fresh_cases(check)]
        run = grader.checks.checks[name].run
        self.cell.source = hand_over.source(name, run, wire.encode([inputs for _, inputs in self.cases]))
        try:
            super().runtest()
        except Ended:
            raise
        except Exception as error:  # a hostile kernel's messages may raise anything, too
            message = self.message or f"its check could not run: {reason(error)[:LONGEST_MESSAGE]}"
            grader.tell({"judged": name, "message": message, "ran": self.ran})
            self.parent.kernel.execute_cell_input(grader.references[name], allow_stdin=False)
            raise
        grader.tell({"judged": name, "message": "", "ran": True})

    def compare_outputs(self, test: list, ref: list, skip_compare: tuple | None = None) -> bool:
        grader, name = self.parent.grader, self.cell.id.removesuffix("-check")
        self.message = self.judge(test)
        if self.message == UNSOLVED and name in grader.raised:
            self.message = f"{UNSOLVED}: its cell raised {grader.raised[name]}"[:LONGEST_MESSAGE]
        text = grader.checks.line(name, self.message)
        return super().compare_outputs([NotebookNode(output_type="stream", name="stdout", text=text + "\n")], ref)

    def judge(self, outputs: list) -> str | None:
        """None where what the kernel handed over is right, else what is wrong."""
        texts = [output.data[hand_over.MIME] for output in outputs if hand_over.MIME in output.get("data", {})]
        try:
            (text,) = texts
            attempts = wire.decode(text)
            for (check, inputs), attempted in zip(self.cases, attempts, strict=True):
                if message := checks.verdict(check, inputs, attempted):
                    self.ran = True
                    return str(message)[:LONGEST_MESSAGE]
        except Exception as error:  # outputs are a student's: they may be anything
            return f"what it handed over is not what its check asks for ({type(error).__name__})"
        self.ran = True
        return None
