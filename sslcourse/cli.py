"""The `sslcourse` command: build, measure, check, data. What goes wrong is said in one sentence."""

import argparse
import sys

from sslcourse.errors import CourseError


def parser() -> argparse.ArgumentParser:
    """The command's arguments; each subcommand sets `run`, a function of the parsed arguments -> exit code."""
    whole = argparse.ArgumentParser(prog="sslcourse", description="A hands-on course in self-supervised learning.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="check a notebook's answers")
    check.add_argument("notebook")
    check.add_argument("--json", action="store_true", help="print the result as JSON")
    check.set_defaults(run=run_check)

    data = commands.add_parser("data", help="list the data sets, their sources and licences")
    data.set_defaults(run=run_data)

    build = commands.add_parser("build", help="build notebooks/ from course/")
    build.add_argument("lesson", nargs="?", help="such as 4.2; all lessons where it is left out")
    build.add_argument("--check", action="store_true", help="only say what is out of date; exit 1 if anything is")
    build.add_argument("--no-execute", action="store_true", help="keep the outputs that the notebooks have")
    build.set_defaults(run=run_build)

    measure = commands.add_parser("measure", help="run a lesson over several seeds and write its ledger")
    measure.add_argument("lesson", help="such as 4.2")
    measure.add_argument("--seeds", type=int, default=3, help="how many, at least 3")
    measure.set_defaults(run=run_measure)
    return whole


def run_check(options: argparse.Namespace) -> int:
    from sslcourse.grading import selfcheck

    return selfcheck.main_check(options.notebook, options.json)


def run_data(_options: argparse.Namespace) -> int:
    from sslcourse import data

    for entry in data.describe():
        print(f"{entry['name']}: {entry['what']}\n  from {entry['source']}\n  licence: {entry['licence']}")
    return 0


def run_build(options: argparse.Namespace) -> int:
    from sslcourse import authoring, course

    lessons = [course.lesson(options.lesson)] if options.lesson else None
    if options.check:
        sentences = authoring.stale(lessons)
        print("\n".join(sentences) or "notebooks/ and README.md are what course/ says.")
        return 1 if sentences else 0
    for lesson in lessons or course.lessons():
        authoring.build(lesson, run=not options.no_execute)
        print(f"built {lesson.notebook.name}", flush=True)
    authoring.write_readme()
    return 0


def run_measure(options: argparse.Namespace) -> int:
    from sslcourse import authoring, course

    lesson = course.lesson(options.lesson)
    authoring.measure(lesson, options.seeds)
    print(f"wrote {lesson.results.name}")
    return 0


def main() -> int:
    """Run the command; 2 for what the user can mend, with one sentence on stderr."""
    options = parser().parse_args()
    try:
        return options.run(options)
    except CourseError as error:
        print(f"sslcourse: {error}", file=sys.stderr)
        return 2
