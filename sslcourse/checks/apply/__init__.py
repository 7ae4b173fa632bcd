"""The student's side of a check: apply their function to inputs, and return plain data.

No right answer is in this folder, because a grading kernel holds it; what judges the data stays with the grader.
"""

import copy
import traceback
from collections.abc import Callable

import torch
from torch import Tensor

UNSOLVED = "not solved yet"


def attempt(run: Callable, fn: Callable, inputs: dict) -> dict:
    """Apply fn to a copy of the inputs: {"outputs": plain data} or, where it raised an error, {"message": why}."""
    try:
        return {"outputs": run(fn, copy.deepcopy(inputs))}
    except NotImplementedError:
        return {"message": UNSOLVED}
    except (Exception, SystemExit) as error:  # whatever a student's code may do
        return {"message": raised(error)}


def raised(error: BaseException) -> str:
    """An error that the student's function raised, as one sentence with the line of theirs."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ipykernel" in frame.filename]
    line = (frames[-1] if frames else last).line
    text = str(error).strip().splitlines()
    name = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    hint = ""
    if "leaf Variable that requires grad" in str(error):
        hint = "; parameters may only be changed in place inside torch.no_grad()"
    if isinstance(error, NameError):
        hint = "; what an answer needs, such as an import or a helper, must stand in an answer cell"
    return f"it raised {name}" + (f", in the line `{line}`" if line else "") + hint


def call(fn: Callable, inputs: dict) -> dict:
    """Apply a pure function: {"result": what it returned, "changed": names of the inputs that it altered}."""
    before = copy.deepcopy(inputs)
    result = fn(**inputs)
    changed = [name for name, value in before.items() if isinstance(value, Tensor) and not same(value, inputs[name])]
    if isinstance(result, Tensor):
        result = result.detach().cpu()
    return {"result": result, "changed": changed}


def parts_run(fn: Callable, inputs: dict) -> dict:
    """As `call`, for a function that returns several tensors, which become a list."""
    outputs = call(fn, inputs)
    return outputs | {"result": plain(outputs["result"])}


def plain(value):
    """Make tuples lists, and detach tensors and move them to the CPU, at any depth."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.detach().cpu() if isinstance(value, Tensor) else value


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have the same shape and values, where nan equals nan."""
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def loss_run(fn: Callable, inputs: dict, parts: list[Tensor]) -> tuple[dict, list[Tensor | None]]:
    """What `call` gives for a loss, and the gradient with respect to each of parts; None where there is none."""
    losses = []  # with their graph, which `call` detaches

    def with_graph(**options):
        losses.append(fn(**options))
        return losses[0]

    outputs = call(with_graph, inputs)
    loss = losses[0]
    connected = isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1
    none = [None] * len(parts)
    return outputs, list(torch.autograd.grad(loss.sum(), parts, allow_unused=True)) if connected else none


def blank(name: str) -> Callable:
    """A function of this name that raises NotImplementedError, as an unsolved exercise does."""

    def unsolved(*_args, **_options):
        raise NotImplementedError

    unsolved.__name__ = name
    return unsolved
