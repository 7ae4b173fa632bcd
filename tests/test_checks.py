"""Checks are tested, too: every wrong answer of the bank is refused with its hint, every right one accepted."""

import importlib
import re

import pytest
import torch

from sslcourse import checks, course
from sslcourse.errors import CourseError
from tests.banks import simclr

SEEDS = range(20)
LESSONS = course.lessons()
BANKS = {
    name: bank
    for lesson in LESSONS
    for name, bank in importlib.import_module(f"tests.banks.{lesson.topic}").BANKS.items()
}
CHECKS = {name: check for lesson in LESSONS for name, check in checks.by_exercise(lesson).items()}
WRONG = [pytest.param(name, *wrong, id=f"{name}-{wrong[0].__name__}") for name, b in BANKS.items() for wrong in b.wrong]
RIGHT = [pytest.param(name, fn, id=f"{name}-{fn.__name__}") for name, bank in BANKS.items() for fn in bank.right]


def test_every_exercise_of_the_course_has_its_bank():
    exercises = [name for lesson in LESSONS for name in lesson.exercises]
    assert len(exercises) == len(set(exercises)), "two exercises of the course have one name"
    assert set(exercises) == set(BANKS) == set(CHECKS)
    for name, bank in BANKS.items():
        assert len(bank.wrong) >= 5 and len(bank.right) >= 3, name


@pytest.mark.parametrize(("name", "fn", "words"), WRONG)
def test_wrong_answers_are_refused_with_the_right_hint(name, fn, words):
    for seed in SEEDS:
        message = checks.judge(CHECKS[name], fn, seed)
        assert message is not None, f"accepted under seed {seed}"
        missing = [word for word in words if word not in message]
        assert not missing, f"under seed {seed} the hint is: {message}"


@pytest.mark.parametrize(("name", "fn"), RIGHT)
def test_right_answers_are_accepted_however_they_are_written(name, fn):
    for seed in SEEDS:
        assert checks.judge(CHECKS[name], fn, seed) is None


NUMBERS = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
ANYTHING = {
    "None": None, "a number": 1.5, "text": "the answer", "a dictionary": {}, "nothing": [], "a module": torch.nn.ReLU(),
    "a class": torch.nn.ReLU, "a numpy array": NUMBERS.numpy(), "no dimension": NUMBERS.mean(), "empty": NUMBERS[:0],
    "whole numbers": NUMBERS.long(), "yes or no": NUMBERS > 2, "complex": NUMBERS.to(torch.cfloat), "matrix": NUMBERS,
    "nan": NUMBERS * torch.nan, "infinite": NUMBERS / 0, "many dimensions": NUMBERS[None, None, None],
    "long": torch.zeros(10_000), "bf16": NUMBERS.bfloat16(), "meta": NUMBERS.to("meta"),
}  # fmt: skip
ANYTHING |= {f"a pair: {what}": (value, value) for what, value in ANYTHING.items()}
ANYTHING |= {f"four: {what}": [value] * 4 for what, value in ANYTHING.items() if not isinstance(value, tuple)}


@pytest.mark.parametrize("name", CHECKS)
def test_whatever_comes_back_gets_a_sentence(name):
    """A check that raises would stop the notebook."""
    for what, value in ANYTHING.items():
        message = checks.judge(CHECKS[name], lambda *_args, value=value, **_options: value, seed=0)
        assert isinstance(message, str) and message, what


@pytest.mark.parametrize("name", CHECKS)
def test_the_reference_is_right_under_many_seeds(name):
    for seed in range(200):
        assert checks.judge(CHECKS[name], CHECKS[name].reference, seed) is None


@pytest.mark.parametrize("name", CHECKS)
def test_inputs_are_fresh_each_time_and_decided_by_a_seed(name):
    def drawn(seed):
        return str(CHECKS[name].cases(torch.Generator().manual_seed(seed)))

    assert drawn(0) == drawn(0) != drawn(1)


def test_a_right_answer_is_used_and_the_line_is_always_the_same(capsys):
    check = checks.of_lesson("4.2")

    def nt_xent(v, z, temperature):
        return simclr.xent.right[0](v, z, temperature)

    for _ in range(5):
        assert check(nt_xent) is nt_xent
    assert capsys.readouterr().out == "✓ nt_xent: right (4 points)\n" * 5


def test_a_wrong_or_blank_answer_is_replaced_by_the_reference(capsys):
    check = checks.of_lesson("4.2")
    blanks = check.blanks()
    assert [fn.__name__ for fn in blanks] == ["cosine_similarity", "nt_xent", "momentum_update"]
    for fn in blanks:
        assert check(fn) is CHECKS[fn.__name__].reference
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✗ cosine_similarity: not solved yet. The lesson goes on with the reference answer."
    assert all(re.fullmatch(r"✗ \w+: not solved yet\. The lesson goes on .*", line) for line in lines)


@pytest.mark.parametrize("thing", [lambda: None, 3, torch.nn.ReLU()])
def test_what_is_no_exercise_gets_one_sentence(thing):
    with pytest.raises(CourseError, match="There is no exercise .* its functions are cosine_similarity, nt_xent"):
        checks.of_lesson("4.2")(thing)


def test_an_answer_that_cheats_its_copy_does_not_fool_the_verdict():
    """The inputs that the verdict uses are not the objects that the answer gets."""

    def nt_xent(v, z, temperature):
        v.data.fill_(1)
        return simclr.xent.right[0](v, z, temperature)

    assert checks.judge(CHECKS["nt_xent"], nt_xent, 0) is not None


def test_an_exception_is_shown_with_its_line():
    def cosine_similarity(a, b):
        return a @ b  # shapes do not fit

    message = checks.judge(CHECKS["cosine_similarity"], cosine_similarity, 0)
    assert message.startswith("it raised RuntimeError: mat1 and mat2 shapes") and "in the line `return a @ b" in message
