"""From a submission to its result: plain data, from which all reports are written."""

from collections.abc import Callable

from sslcourse.course import Lesson
from sslcourse.errors import CourseError
from sslcourse.grading import merge, suspicion
from sslcourse.grading.collect import Submission

SENTENCES = {
    "graded": "All checks ran.",
    "timed out": "An answer took too long and was stopped; the other exercises were judged in a new kernel.",
    "crashed": "An answer ended its kernel, or was stopped; the other exercises were judged in a new kernel.",
}


def grade(submission: Submission, lesson: Lesson, ask: Callable[[dict[str, str]], dict]) -> dict:
    """The result of one student. ask: called with exercise -> source, returns what `Worker.grade` does."""
    if submission.problem:
        status, sentence = submission.problem
        return result(submission, lesson, merge.Answers(), {}, status, sentence)
    try:
        answers = merge.answers(merge.parse(submission.content, submission.name), lesson)
    except CourseError as error:
        return result(submission, lesson, merge.Answers(), {}, "unreadable", str(error))
    if not answers.sources:
        sentence = "It holds none of the lesson's answer cells. Is it the notebook of another lesson?"
        return result(submission, lesson, answers, {}, "unreadable", sentence)
    outcome = ask(answers.sources)
    status = status_of(outcome["ended"])
    return result(submission, lesson, answers, outcome["messages"], status, SENTENCES[status])


def lost(submission: Submission, lesson: Lesson) -> dict:
    """The result of a student whose submission ended one Dask worker after another, so that nothing was judged."""
    sentence = "Each process that graded it was lost. Grade it alone, on one machine, to see why."
    return result(submission, lesson, merge.Answers(), {}, "crashed", sentence)


def status_of(ended: list[str]) -> str:
    """The status of a result, from the reasons why runs were cut short."""
    if not ended:
        return "graded"
    return "timed out" if all("did not end within" in reason or "too long" in reason for reason in ended) else "crashed"


def result(
    submission: Submission, lesson: Lesson, answers: merge.Answers, messages: dict[str, str], status: str, sentence: str
) -> dict:
    """The result as plain data; it depends on nothing but the arguments."""
    checks = []
    for name, exercise in lesson.exercises.items():
        message = answers.missing.get(name, messages.get(name, "it was not judged"))
        checks.append(
            {
                "id": name,
                "points": 0 if message else exercise.points,
                "max_points": exercise.points,
                "passed": not message,
                "message": message,
                "note": answers.notes.get(name, ""),
                "answer": answers.sources.get(name, ""),
            }
        )
    return {
        "student": submission.student,
        "lesson": lesson.id,
        "file": submission.name,
        "digest": submission.digest,
        "passed_over": submission.passed_over,
        "status": status,
        "sentence": sentence,
        "points": sum(check["points"] for check in checks),
        "max_points": lesson.max_points,
        "checks": checks,
        "flags": suspicion.flags(answers.sources, lesson),
    }
