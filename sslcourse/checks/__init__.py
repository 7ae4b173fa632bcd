"""Checks: property tests of a student's answers on fresh random inputs, with hints at what is wrong.

A check is data and pure functions: `cases` makes inputs, `run` (in apply/) applies the student's function to a copy of
them and returns plain data, `verdict` judges that data. So inputs and outputs can cross a process boundary, and
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
    """The check of one exercise.

    reference: the right answer; cases(generator) -> list of inputs (dicts of tensors and plain values);
    verdict(inputs, outputs) -> None where the answer is right, else a message; run(fn, inputs) -> outputs, plain data.
    """

    reference: Callable
    cases: Callable[[torch.Generator], list[dict]]
    verdict: Callable[[dict, Any], str | None]
    run: Callable[[Callable, dict], Any] = call

    @property
    def name(self) -> str:
        """The name of the exercise, and of the function that answers it."""
        return self.reference.__name__


def by_name(*checks: Check) -> dict[str, Check]:
    """Checks by the names of their exercises."""
    return {check.name: check for check in checks}


def judge(check: Check, fn: Callable, seed: int | None = None) -> str | None:
    """None where fn is right, else what is wrong. Without a seed, the inputs differ each time."""
    for inputs in fresh_cases(check, seed):
        if message := verdict(check, inputs, attempt(check.run, fn, inputs)):
            return message
    return None


def fresh_cases(check: Check, seed: int | None = None) -> list[dict]:
    """The inputs for one judgement; without a seed, they differ each time."""
    seed = random.SystemRandom().randrange(2**62) if seed is None else seed
    return check.cases(torch.Generator().manual_seed(seed))


def verdict(check: Check, inputs: dict, attempted: dict) -> str | None:
    """None where the result of an `attempt` at these inputs is right, else what is wrong."""
    return attempted.get("message") or check.verdict(inputs, attempted["outputs"])


def tensor_fault(outputs: dict, shape: tuple[int, ...]) -> str | None:
    """What is wrong with the form of a `call`'s result: no tensor, wrong shape, whole numbers; or changed inputs."""
    result = outputs["result"]
    if result is None:
        return NOTHING
    if not isinstance(result, Tensor):
        return f"it returned a {type(result).__name__}; it should be a tensor of shape {shape}"
    if tuple(result.shape) != shape:
        return f"it returned shape {tuple(result.shape)}; it should be {shape}"
    if not result.is_floating_point():
        return f"it returned {result.dtype}; it should be a floating-point tensor"
    return changed_fault(outputs)


def parts_fault(outputs: dict, shapes: dict[str, tuple[int, ...]]) -> str | None:
    """What is wrong with the form of several results {name: shape}: how many they are, and each of them."""
    names, result = ", ".join(shapes), outputs["result"]
    if result is None:
        return NOTHING
    if not isinstance(result, list) or len(result) != len(shapes):
        returned = f"{len(result)} things" if isinstance(result, list) else f"a {type(result).__name__}"
        return f"it returned {returned}; it should be {len(shapes)} tensors: {names}"
    for part, (name, shape) in zip(result, shapes.items(), strict=True):
        if isinstance(part, Tensor) and part.dtype == torch.bool:
            return f"{name} is a tensor of True and False; make it numbers, with .float() or .to(v.dtype)"
        if fault := tensor_fault({"result": part, "changed": outputs["changed"]}, shape):
            return fault if fault.startswith("it changed") else f"{name} is not as it should be: {fault}"
    return None


def changed_fault(outputs: dict, advice: str = "work on a copy instead") -> str | None:
    """Which inputs a `call` changed."""
    return f"it changed its input {', '.join(outputs['changed'])}; {advice}" if outputs["changed"] else None


def pair_fault(result, names: str) -> str | None:
    """Whether a result is a pair of tensors, of these names."""
    if result is None:
        return NOTHING
    if not isinstance(result, tuple | list) or len(result) != 2 or not all(isinstance(t, Tensor) for t in result):
        return f"it returned a {type(result).__name__}; it should be two tensors, {names}"
    return None


def loss_fault(outputs: dict, n: int, samples: str) -> str | None:
    """What is wrong with the form of a `call`'s result that should be one loss of n samples (named in the plural)."""
    if shape_of(outputs["result"]) == (n,):
        return f"it returned one loss for each of the {n} {samples}; take their mean"
    return tensor_fault(outputs, ())


def no_gradient(name: str) -> str:
    """The message for a loss of the right value without a gradient with respect to the input of this name."""
    return f"the value is right, but no gradient flows to {name}: is there a detach(), item() or no_grad()?"


def shape_of(result) -> tuple[int, ...] | None:
    """The shape of a result; None where it is no tensor."""
    return tuple(result.shape) if isinstance(result, Tensor) else None


def ranges(result: Tensor, right: Tensor) -> str:
    """The range of a result's values beside the right one, as part of a message."""
    return (
        f"values run from {result.min():.4g} to {result.max():.4g}, and should run from {right.min():.4g} to "
        f"{right.max():.4g}"
    )


def distance(result: Tensor, right: Tensor) -> float:
    """The largest absolute difference, in double precision; infinite where a difference is nan."""
    difference = (result.double() - right.double()).abs().max().item()
    return difference if difference == difference else float("inf")


def likely_cause(result: Tensor, right: Tensor, mistakes: dict[str, Tensor], tolerance: float) -> str | None:
    """The first of the mistakes whose value is this result within the tolerance, but is not the right answer.

    mistakes: {cause: the value that it gives}. None where there is no such mistake.
    """
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
            names = ", ".join(self.checks)
            raise CourseError(f"There is no exercise {name!r} in lesson {self.lesson.id}; its functions are {names}.")
        message = judge(self.checks[name], fn)
        print(self.line(name, message))
        return fn if message is None else self.checks[name].reference

    def line(self, name: str, message: str | None) -> str:
        """The line that a check prints: the answer is right, with its points, or what is wrong."""
        if message is not None:
            return f"✗ {name}: {message}. {GOES_ON}"
        points = self.lesson.exercises[name].points
        return f"✓ {name}: right" + (f" ({points} point{'s' if points > 1 else ''})" if points else "")

    def blanks(self) -> tuple[Callable, ...]:
        """A placeholder for each exercise, so that an answer cell with a syntax error leaves something to check."""
        return tuple(blank(name) for name in self.checks)


def by_exercise(lesson: course.Lesson) -> dict[str, Check]:
    """The checks of a lesson by the names of its exercises, from the file of the lesson's topic."""
    return importlib.import_module(f"sslcourse.checks.{lesson.topic}").CHECKS


def of_lesson(id: str) -> Checks:
    """The checks of the lesson with this id ("4.2"). CourseError for an id that is not in the course."""
    lesson = course.lesson(id)
    return Checks(lesson, by_exercise(lesson))
