"""Reports, written from the results: for gradebook, students, instructor, Gradescope and CI tools."""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from jinja2 import Environment, PackageLoader

from sslcourse.course import Lesson
from sslcourse.files import write_atomic

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # what XML may not hold


def write(
    out: Path, lesson: Lesson, results: list[dict], names: dict[str, str], ignored: list[str], warning: str
) -> None:
    """Write everything in the folder of grades except the results themselves."""
    for result in results:
        name = names[result["student"]]
        write_atomic(out / "feedback" / f"{name}.html", feedback(lesson, result))
        write_atomic(out / "gradescope" / name / "results.json", json.dumps(gradescope(result), indent=1) + "\n")
        write_atomic(out / "junit" / f"{name}.xml", junit(result))
    write_atomic(out / "report.html", overview(lesson, results, names, ignored, warning))
    write_atomic(out / "gradebook.csv", gradebook(lesson, results))


def file_names(students: list[str]) -> dict[str, str]:
    """Student -> a file name that is safe on every system, and unique even where letter case does not count."""
    lower = Counter(student.lower() for student in students)
    names = {}
    for student in students:
        safe = re.sub(r"[^\w.-]", "_", student, flags=re.ASCII).lstrip(".-")[:80]
        if safe != student or lower[student.lower()] > 1:
            digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            safe = f"{safe}-{digest}"
        names[student] = safe
    return names


def gradebook(lesson: Lesson, results: list[dict]) -> str:
    """CSV with a row for each student: points of each check, their sum, the maximum, status and flags."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["student", *lesson.exercises, "points", "maximum", "status", "flags"])
    for result in results:
        points = [check["points"] for check in result["checks"]]
        row = [result["student"], *points, result["points"], result["max_points"], result["status"]]
        table.writerow([*map(harmless, row), harmless("; ".join(result["flags"]))])
    return text.getvalue()


def harmless(value: object) -> object:
    """The value; an apostrophe in front of text that a spreadsheet would take for a formula."""
    if not isinstance(value, str):
        return value
    value = value.encode("utf-8", "replace").decode("utf-8")
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def feedback(lesson: Lesson, result: dict) -> str:
    """One student's page, self-contained HTML."""
    return template("feedback.html").render(lesson=lesson, result=result)


def template(name: str):
    environment = Environment(loader=PackageLoader("sslcourse.grading"), autoescape=True, trim_blocks=True)
    return environment.get_template(name)


def overview(lesson: Lesson, results: list[dict], names: dict[str, str], ignored: list[str], warning: str) -> str:
    """The instructor's page: distribution, pass rates, commonest wrong answers, what was flagged or passed over."""
    by_points = Counter(result["points"] for result in results)
    checks = []
    for number, name in enumerate(lesson.exercises):
        outcomes = [result["checks"][number] for result in results]
        wrong = Counter(kind_of(check["message"]) for check in outcomes if not check["passed"])
        passed = sum(check["passed"] for check in outcomes)
        checks.append({"id": name, "passed": passed, "wrong": sorted(wrong.items(), key=lambda w: (-w[1], w[0]))[:5]})
    return template("report.html").render(
        lesson=lesson,
        results=results,
        names=names,
        points=[(points, by_points[points]) for points in range(lesson.max_points + 1)],
        most=max(by_points.values(), default=1),
        checks=checks,
        statuses=sorted(Counter(result["status"] for result in results).items()),
        ignored=ignored,
        warning=warning,
    )


def kind_of(message: str) -> str:
    """A message without its numbers, so that equal mistakes count together."""
    return re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", message)


def gradescope(result: dict) -> dict:
    """Gradescope's results.json (its autograder documentation, "Output format")."""
    tests = [
        {
            "name": check["id"],
            "score": check["points"],
            "max_score": check["max_points"],
            "status": "passed" if check["passed"] else "failed",
            "output": check["message"] or "right",
        }
        for check in result["checks"]
    ]
    return {
        "score": result["points"],
        "output": f"{result['status']}: {result['sentence']}",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def junit(result: dict) -> str:
    """JUnit's XML: one test case for each check."""
    failed = sum(not check["passed"] for check in result["checks"])
    suite = ElementTree.Element(
        "testsuite", name=clean(result["student"]), tests=str(len(result["checks"])), failures=str(failed)
    )
    for check in result["checks"]:
        case = ElementTree.SubElement(suite, "testcase", classname=f"lesson {result['lesson']}", name=check["id"])
        if not check["passed"]:
            ElementTree.SubElement(case, "failure", message=clean(check["message"]))
    ElementTree.SubElement(suite, "system-out").text = clean(f"{result['status']}: {result['sentence']}")
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=False) + "\n"


def clean(text: str) -> str:
    """Text with question marks for the characters that XML may not hold."""
    return CONTROL.sub("?", text)
