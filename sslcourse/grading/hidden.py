"""Hidden checks: an instructor's own cases and verdicts for exercises, in a file that students never see."""

import sys
from pathlib import Path
from types import ModuleType

from sslcourse import checks
from sslcourse.checks import Check
from sslcourse.course import Lesson
from sslcourse.errors import CourseError


def read(path: Path, lesson: Lesson) -> str:
    """The source of a file of hidden checks, loaded once to test it; CourseError where it cannot be used."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}.") from None
    load(source, lesson)
    return source


def load(source: str, lesson: Lesson) -> dict[str, Check]:
    """Exercise -> its hidden check: what CHECKS holds once the source has run. CourseError where it cannot be used.

    A hidden check calls the student's function as the lesson's own check does: kernels have no other runner.
    """
    module = ModuleType("hidden_checks")
    sys.modules[module.__name__] = module  # where dataclasses look up a class' module
    try:
        exec(compile(source, "hidden checks", "exec"), vars(module))
        hidden_checks = dict(module.CHECKS)
    except Exception as error:  # an instructor's code may raise anything
        raise CourseError(f"The hidden checks cannot be used: {type(error).__name__}: {error}.") from None
    own_checks = checks.by_exercise(lesson)
    for name, check in hidden_checks.items():
        if name not in own_checks or not isinstance(check, Check) or check.run is not own_checks[name].run:
            raise CourseError(
                f"The hidden check {name!r} cannot be used: CHECKS maps exercises of lesson {lesson.id} "
                f"({', '.join(own_checks)}) to dataclasses.replace(the lesson's own check, cases=..., verdict=...)."
            )
    return hidden_checks
