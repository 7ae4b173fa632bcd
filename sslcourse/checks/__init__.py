"""Checks: is an answer right, and if not, how do we know? Property tests on fresh random inputs, with hints.

A check is data and pure functions: `cases` makes inputs, `run` applies the student's function to a copy of them and
gives plain data, `verdict` judges that data. So inputs and outputs can cross a process boundary, and verdicts need not.
"""

import copy
import importlib
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sslcourse import course
from sslcourse.errors import CourseError

UNSOLVED = "not solved yet"
GOES_ON = "The lesson goes on with the reference answer."
FILES = {"0": "start", "4": "contrastive"}  # module -> the file with its checks


def call(fn: Callable, inputs: dict) -> dict:
    """Apply a pure function: {"result": what it returned, "changed": inputs that it altered}."""
    before = copy.deepcopy(inputs)
    result = fn(**inputs)
    changed = [name for name, value in before.items() if isinstance(value, Tensor) and not same(value, inputs[name])]
    if isinstance(result, Tensor):
        result = result.detach().cpu()
    return {"result": result, "changed": changed}


def same(a: Tensor, b: Tensor) -> bool:
    """Equal in every bit that matters; nan equals nan."""
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


@dataclass(frozen=True)
class Check:
    """One exercise's check.

    cases(generator) -> list of inputs (dicts of tensors and plain values); verdict(inputs, outputs) -> None where the
    answer is right, else a message; reference: the right answer; run(fn, inputs) -> outputs, plain data.
    """

    name: str
    reference: Callable
    cases: Callable[[torch.Generator], list[dict]]
    verdict: Callable[[dict, Any], str | None]
    run: Callable[[Callable, dict], Any] = call


def judge(check: Check, fn: Callable, seed: int | None = None) -> str | None:
    """None where fn is right, else what is wrong. Without a seed, inputs are different each time."""
    seed = random.SystemRandom().randrange(2**62) if seed is None else seed
    for inputs in check.cases(torch.Generator().manual_seed(seed)):
        try:
            outputs = check.run(fn, copy.deepcopy(inputs))
        except NotImplementedError:
            return UNSOLVED
        except Exception as error:  # whatever a student's code may do
            return raised(error)
        if message := check.verdict(inputs, outputs):
            return message
    return None


def raised(error: Exception) -> str:
    """An exception of the student's function as one sentence: what, and in which line of theirs."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ipykernel" in frame.filename]
    line = (frames[-1] if frames else last).line
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    hint = ""
    if "leaf Variable that requires grad" in str(error):
        hint = "; parameters may only be changed in place inside torch.no_grad()"
    return f"it raised {what}" + (f", in the line `{line}`" if line else "") + hint


def tensor_fault(outputs: dict, shape: tuple[int, ...]) -> str | None:
    """What is wrong with the form of a `call`: no tensor, wrong shape, whole numbers, nan, altered inputs."""
    result = outputs["result"]
    if result is None:
        return "it returned nothing; is there a `return`?"
    if not isinstance(result, Tensor):
        return f"it returned a {type(result).__name__}; it should be a tensor of shape {shape}"
    if tuple(result.shape) != shape:
        return f"it returned shape {tuple(result.shape)}; it should be {shape}"
    if not result.is_floating_point():
        return f"it returned {result.dtype}; it should be a floating-point tensor"
    if outputs["changed"]:
        return f"it changed its input {', '.join(outputs['changed'])}; work on a copy instead"
    return None


def distance(result: Tensor, right: Tensor) -> float:
    """Largest absolute difference, computed in double precision; nan and inf count as infinitely far."""
    difference = (result.double() - right.double()).abs().max().item()
    return difference if difference == difference else float("inf")


def likely_cause(result: Tensor, right: Tensor, mistakes: dict[str, Tensor], tolerance: float) -> str | None:
    """The known mistake that gives just this result, if there is one and it differs from the right answer."""
    for cause, value in mistakes.items():
        fits = value.shape == result.shape and distance(result, value) <= tolerance
        if fits and distance(value, right) > tolerance:
            return cause
    return None


class Checks:
    """The checks of one lesson, called on each answer: `nt_xent = check(nt_xent)`."""

    def __init__(self, lesson: course.Lesson, checks: dict[str, Check]):
        self.lesson = lesson
        self.checks = {name: checks[name] for name in lesson.exercises}

    def __call__(self, fn: Callable) -> Callable:
        """Say whether fn is right; return it if so, else the reference answer, so that the lesson can go on."""
        name = getattr(fn, "__name__", type(fn).__name__)
        if name not in self.checks:
            known = ", ".join(self.checks)
            raise CourseError(f"There is no exercise {name!r} in lesson {self.lesson.id}; its functions are {known}.")
        message = judge(self.checks[name], fn)
        if message is None:
            print(f"✓ {name}: right{self.points(name)}")
            return fn
        print(f"✗ {name}: {message}. {GOES_ON}")
        return self.checks[name].reference

    def points(self, name: str) -> str:
        points = self.lesson.exercises[name].points
        return f" ({points} point{'s' if points > 1 else ''})" if points else ""

    def blanks(self) -> tuple[Callable, ...]:
        """A placeholder for each exercise, so that an answer cell with a syntax error leaves something to check."""
        return tuple(blank(name) for name in self.checks)


def blank(name: str) -> Callable:
    """A function of this name that is not solved yet."""

    def unsolved(*_args, **_options):
        raise NotImplementedError

    unsolved.__name__ = name
    return unsolved


def lesson(id: str) -> Checks:
    """The checks of the lesson with this id ("4.2"). CourseError for an id that is not in the course."""
    found = course.lesson(id)
    file = importlib.import_module(f"sslcourse.checks.{FILES[found.id.split('.')[0]]}")
    return Checks(found, file.CHECKS)
