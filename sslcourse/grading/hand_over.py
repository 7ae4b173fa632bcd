"""In the kernel: apply a student's function to the grader's inputs and hand the outputs over. It judges nothing."""

from collections.abc import Callable
from pkgutil import resolve_name

from sslcourse.checks import apply
from sslcourse.grading import wire

MIME = "application/x-sslcourse-outputs"


def hand_over(fn: Callable, run: str, inputs: str) -> None:
    """Publish, as text, what fn gives for each of the inputs; run: what calls it, "apply's module:function"."""
    from IPython.display import publish_display_data

    run = resolve_name(run)
    attempts = [apply.attempt(run, fn, case) for case in wire.decode(inputs)]
    publish_display_data({MIME: wire.encode(attempts)})


def source(name: str, run: Callable, inputs: str) -> str:
    """The code that has a kernel hand over the outputs of its function `name`, called by `run`."""
    run = f"{run.__module__}:{run.__name__}"
    return f"__import__('sslcourse.grading.hand_over', fromlist=['_']).hand_over({name}, {run!r}, {inputs!r})"
