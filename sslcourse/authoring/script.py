"""`sslcourse run`: the solved lesson as the plain script that its source is. Nothing of Jupyter is imported."""

import ast
import re
import time
import traceback
from pathlib import Path

from sslcourse import devices
from sslcourse.course import Lesson
from sslcourse.errors import BuildError
from sslcourse.ledger import Log

CELL = re.compile(r"^# %% (\S+)(.*)$", re.MULTILINE)  # jupytext's py:percent: a name, then [markdown] or keys


def run(lesson: Lesson, figures: Path | None = None) -> None:
    """Run a lesson's code cells one after another; what a cell's last line gives is printed.

    figures: a folder, for what is drawn. Raises BuildError, with the cell and the line, where one fails.
    """
    import matplotlib

    matplotlib.use("Agg")  # no window, whether or not there is a screen
    if figures:
        figures.mkdir(parents=True, exist_ok=True)  # first, as a wrong folder must not cost a whole run
    begin, namespace = time.perf_counter(), {"__name__": "__main__"}
    for number, (name, tree) in enumerate(code_cells(lesson.source), start=1):
        try:
            value = run_cell(tree, namespace, str(lesson.source))
            show(value, figures and figures / f"{number:02}_{name}.png")
        except Exception as error:
            raise BuildError(told(error, lesson.source, name)) from None
    recorded = sum(len(log.run) for log in logs(namespace))
    seconds, device = time.perf_counter() - begin, devices.best_device()
    print(f"{lesson.id}, profile {devices.profile()}, on {device}: {seconds:.0f} s, {recorded} numbers recorded")


def code_cells(source: Path) -> list[tuple[str, ast.Module]]:
    """Name and code of each code cell, its lines numbered as in the file. BuildError where one is not Python."""
    text = source.read_text(encoding="utf-8")
    begins = list(CELL.finditer(text))
    cells = []
    for cell, after in zip(begins, [*begins[1:], None], strict=True):
        if "[markdown]" not in cell[2]:
            code = text[cell.end() : after.start() if after else None]
            try:
                tree = ast.parse("\n" * text.count("\n", 0, cell.end()) + code, str(source))
            except SyntaxError as error:
                raise BuildError(told(error, source, cell[1])) from None
            cells.append((cell[1], tree))
    return cells


def run_cell(tree: ast.Module, namespace: dict, file: str) -> object:
    """Run a cell in the lesson's namespace; the value of its last line, if that is an expression."""
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, file, "exec"), namespace)
    return eval(compile(ast.Expression(last.value), file, "eval"), namespace) if last else None


def show(value: object, path: Path | None) -> None:
    """Print a value, as Jupyter shows a cell's last one; a figure is saved, if there is a place for it."""
    from matplotlib.figure import Figure

    if isinstance(value, Figure):
        if path:
            value.savefig(path)
    elif value is not None:
        print(value)


def told(error: Exception, source: Path, cell: str) -> str:
    """What went wrong in a cell: the error, and below it the lines of the lesson that led there."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(source)]
    lines = "".join(f"\n  line {frame.lineno}: {frame.line}" for frame in frames)
    return f"{source.name}, cell {cell} fails: {type(error).__name__}: {error}{lines}"


def logs(namespace: dict) -> list[Log]:
    """The ledgers that the lesson has opened."""
    return [value for value in namespace.values() if isinstance(value, Log)]
