"""Checks: is an answer right, and if not, how do we know? Property tests on fresh random inputs, with hints.

A check is data and pure functions: `cases` makes inputs, `run` (all in apply.py) applies the student's function to a
copy of them and gives plain data, `verdict` judges that data. So inputs and outputs can cross a process boundary, and
verdicts need not.
"""

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sslcourse import course
from sslcourse.checks.apply import attempt, blank, call
from sslcourse.errors import CourseError

NOTHING = "it returned nothing; is there a `return`?"
GOES_ON = "The lesson goes on with the reference answer."


@dataclass(frozen=True)
class Check:
    """One exercise's check.

    cases(generator) -> list of inputs (dicts of tensors and plain values); verdict(inputs, outputs) -> None where the
    answer is right, else a message; reference: the right answer; run(fn, inputs) -> outputs, plain data.
    """

    reference: Callable
    cases: Callable[[torch.Generator], list[dict]]
    verdict: Callable[[dict, Any], str | None]
    run: Callable[[Callable, dict], Any] = call

    @property
    def name(self) -> str:
        """The exercise: what its answer is called."""
        return self.reference.__name__


def by_name(*checks: Check) -> dict[str, Check]:
    """Exercise -> its check."""
    return {check.name: check for check in checks}


def judge(check: Check, fn: Callable, seed: int | None = None) -> str | None:
    """None where fn is right, else what is wrong. Without a seed, inputs are different each time."""
    for inputs in fresh_cases(check, seed):
        if message := verdict(check, inputs, attempt(check.run, fn, inputs)):
            return message
    return None


def fresh_cases(check: Check, seed: int | None = None) -> list[dict]:
    """The inputs of one judgement; without a seed, such as nobody has seen before."""
    seed = random.SystemRandom().randrange(2**62) if seed is None else seed
    return check.cases(torch.Generator().manual_seed(seed))


def verdict(check: Check, inputs: dict, attempted: dict) -> str | None:
    """None where what an `attempt` at these inputs gave is right, else what is wrong."""
    return attempted.get("message") or check.verdict(inputs, attempted["outputs"])


def tensor_fault(outputs: dict, shape: tuple[int, ...]) -> str | None:
    """What is wrong with the form of a `call`: no tensor, wrong shape, whole numbers, altered inputs."""
    result = outputs["result"]
    if result is None:
        return NOTHING
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
        print(self.line(name, message))
        return fn if message is None else self.checks[name].reference

    def line(self, name: str, message: str | None) -> str:
        """What a check says: that the answer is right, and its points, or what is wrong."""
        if message is not None:
            return f"✗ {name}: {message}. {GOES_ON}"
        points = self.lesson.exercises[name].points
        return f"✓ {name}: right" + (f" ({points} point{'s' if points > 1 else ''})" if points else "")

    def blanks(self) -> tuple[Callable, ...]:
        """A placeholder for each exercise, so that an answer cell with a syntax error leaves something to check."""
        return tuple(blank(name) for name in self.checks)


def by_exercise(lesson: course.Lesson) -> dict[str, Check]:
    """Exercise -> its check, from the file here that is called like the lesson's, without its number."""
    return importlib.import_module(f"sslcourse.checks.{lesson.topic}").CHECKS


def of_lesson(id: str) -> Checks:
    """The checks of the lesson with this id ("4.2"). CourseError for an id that is not in the course."""
    found = course.lesson(id)
    return Checks(found, by_exercise(found))
