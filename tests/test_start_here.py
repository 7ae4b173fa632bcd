"""Lesson 0: the one exercise, which shows how a check speaks."""

from sslcourse import checks
from sslcourse.checks.start_here import CHECKS


def test_an_exercise_without_points_says_only_that_it_is_right(capsys):
    check = checks.of_lesson("0")
    check(CHECKS["standardise"].reference)
    assert capsys.readouterr().out == "✓ standardise: right\n"
