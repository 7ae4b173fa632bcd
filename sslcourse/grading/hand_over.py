"""In the kernel: apply a student's function to the grader's inputs and hand the outputs over. It judges nothing."""

from collections.abc import Callable
from pkgutil import resolve_name

from sslcourse.checks import apply
from sslcourse.grading import wire

MIME = "application/x-sslcourse-outputs"


def hand_over(fn: Callable, run: str, inputs: str) -> None:
    """Publish, as text, the output of fn for each of the inputs (text); run: "module:function" that calls fn."""
    from IPython.display import publish_display_data

    run = resolve_name(run)
    attempts = [apply.attempt(run, fn, case) for case in wire.decode(inputs)]
    publish_display_data({MIME: wire.encode(attempts)})


def source(name: str, run: Callable, inputs: str) -> str:
    """Code for a kernel, to hand over the outputs of its function `name`, as `run` calls it, for inputs (text)."""
    run = f"{run.__module__}:{run.__name__}"
    return f"__import__('sslcourse.grading.hand_over', fromlist=['_']).hand_over({name}, {run!r}, {inputs!r})"
