"""The `sslcourse` command: for students, instructors and authors. What goes wrong is said in one sentence."""

import argparse
import os
import sys
from pathlib import Path

from sslcourse.errors import CourseError


def parser() -> argparse.ArgumentParser:
    """The command's arguments; each subcommand sets `run`, a function of the parsed arguments -> exit code."""
    whole = argparse.ArgumentParser(prog="sslcourse", description="A hands-on course in self-supervised learning.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for add in (add_check, add_data, add_run, add_pretrain, add_grade, add_gradescope, add_slides, *FOR_AUTHORS):
        add(commands)
    return whole


def add_check(commands) -> None:
    check = commands.add_parser("check", help="check a notebook's answers")
    check.add_argument("notebook")
    check.add_argument("--json", action="store_true", help="print the result as JSON")
    check.set_defaults(run=run_check)


def add_data(commands) -> None:
    data = commands.add_parser("data", help="list the data sets, their sources and licences, or download one")
    data.add_argument("--fetch", metavar="NAME", help="download this data set, such as cifar10; needs a network")
    data.set_defaults(run=run_data)


def add_run(commands) -> None:
    run = commands.add_parser("run", help="run a solved lesson as a script, without Jupyter")
    run.add_argument("lesson", help="such as 4.2")
    run.add_argument("--profile", help="cpu, gpu or smoke; default: what the device is good for")
    run.add_argument("--seed", type=int, default=0, help="default: 0")
    run.add_argument("--device", help="such as cpu or cuda:1; default: the best there is")
    run.add_argument("--figures", type=Path, metavar="DIR", help="folder to write the figures to")
    run.set_defaults(run=run_run)


def add_pretrain(commands) -> None:
    """`sslcourse pretrain`, under torchrun as well. Its tasks are looked up when it runs: that imports torch."""
    pretrain = commands.add_parser(
        "pretrain",
        help="pretrain an encoder without labels",
        epilog="On several processes: torchrun --nproc-per-node=N -m sslcourse pretrain --task simclr --data photos",
    )
    pretrain.add_argument("--task", required=True, help="such as simclr; another name lists the tasks there are")
    pretrain.add_argument("--data", required=True, help="such as photos; see `sslcourse data`")
    pretrain.add_argument("--epochs", type=int, default=15, help="default: 15")
    pretrain.add_argument("--batch-size", type=int, default=256, help="of all processes together; default: 256")
    pretrain.add_argument("--lr", type=float, default=2e-3, help="default: 0.002")
    pretrain.add_argument("--seed", type=int, default=0, help="default: 0")
    pretrain.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a setting of the task")
    pretrain.add_argument("--device", help="such as cpu or cuda:1; default: the best there is")
    pretrain.add_argument("--checkpoint", help="file to write after each epoch, and to go on from")
    pretrain.set_defaults(run=run_pretrain)


def add_grade(commands) -> None:
    grade = commands.add_parser("grade", help="grade a class")
    grade.add_argument("submissions", type=Path, help="STUDENT/*.ipynb or STUDENT*.ipynb in a folder, or a zip of it")
    grade.add_argument("--lesson", required=True, help="such as 4.2")
    grade.add_argument("--out", type=Path, required=True, help="folder for gradebook, feedback and reports")
    grade.add_argument("--jobs", type=int, help="submissions at a time; default: as many as there are cores")
    grade.add_argument("--timeout", type=float, default=30, help="seconds that a cell may take; default: 30")
    grade.add_argument("--hidden", type=Path, metavar="FILE", help="Python file with checks of your own")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="grade on the Dask cluster there")
    grade.add_argument("--resume", action="store_true", help="keep what is in --out and still valid; judge the rest")
    grade.set_defaults(run=run_grade)


def add_gradescope(commands) -> None:
    gradescope = commands.add_parser("gradescope", help="write an autograder for Gradescope")
    gradescope.add_argument("lesson", help="such as 4.2")
    gradescope.add_argument("--out", type=Path, help="the zip file; default: gradescope_LESSON.zip")
    gradescope.set_defaults(run=run_gradescope)


def add_slides(commands) -> None:
    slides = commands.add_parser("slides", help="write a lesson as slides, in one HTML file")
    slides.add_argument("lesson", help="such as 4.2")
    slides.add_argument("--out", type=Path, help="the HTML file; default: FILE.slides.html here")
    slides.set_defaults(run=run_slides)


def add_new(commands) -> None:
    new = commands.add_parser("new", help="lay out a new lesson, which builds and passes as it stands")
    new.add_argument("lesson", help="its id, such as 4.3")
    new.add_argument("topic", help="what its files are called, such as clustering")
    new.set_defaults(run=run_new)


def add_build(commands) -> None:
    build = commands.add_parser("build", help="build notebooks/ from course/")
    build.add_argument("lesson", nargs="?", help="such as 4.2; all lessons where it is left out")
    build.add_argument("--check", action="store_true", help="only say what is out of date; exit 1 if anything is")
    build.add_argument("--no-execute", action="store_true", help="keep the outputs that the notebooks have")
    build.set_defaults(run=run_build)


def add_measure(commands) -> None:
    measure = commands.add_parser("measure", help="run a lesson over several seeds and write its ledger")
    measure.add_argument("lesson", help="such as 4.2")
    measure.add_argument("--seeds", type=int, default=5, help="how many, at least 3; default: 5")
    measure.add_argument("--profile", default="cpu", help="cpu or gpu, each with a ledger of its own; default: cpu")
    measure.add_argument("--jobs", type=int, default=1, help="runs side by side, which share the cores; default: 1")
    measure.add_argument("--device", help="such as cpu or cuda:1; default: the best there is")
    measure.set_defaults(run=run_measure)


FOR_AUTHORS = (add_new, add_build, add_measure)


def run_run(options: argparse.Namespace) -> int:
    from sslcourse import course, devices, ledger
    from sslcourse.authoring import script

    lesson = course.lesson(options.lesson)
    chosen = {devices.PROFILE: options.profile, devices.DEVICE: options.device, ledger.SEED: str(options.seed)}
    os.environ.update({name: value for name, value in chosen.items() if value is not None})
    devices.profile(), devices.best_device()  # what they do not take is told before anything runs
    script.run(lesson, options.figures)
    return 0


def run_new(options: argparse.Namespace) -> int:
    from sslcourse import course
    from sslcourse.authoring import builder, measuring, template

    for path in template.new(options.lesson, options.topic):
        print(f"wrote {path.name}")
    lesson = course.lesson(options.lesson)
    measuring.measure(lesson)
    builder.build(lesson)
    print(f"built {lesson.notebook.name}; now edit {lesson.source.name}, and at last `sslcourse build` for all pages")
    return 0


def run_pretrain(options: argparse.Namespace) -> int:
    from sslcourse import pretrain

    return pretrain.run(options)


def run_check(options: argparse.Namespace) -> int:
    from sslcourse.grading import selfcheck

    return selfcheck.main_check(options.notebook, options.json)


def run_grade(options: argparse.Namespace) -> int:
    from sslcourse import devices
    from sslcourse.grading import batch

    jobs = devices.cores() if options.jobs is None else options.jobs
    if jobs < 1 or options.timeout <= 0:
        raise CourseError("--jobs must be at least 1, and --timeout more than 0 seconds.")
    return batch.main(
        batch.Options(
            submissions=options.submissions,
            lesson=options.lesson,
            out=options.out,
            jobs=jobs,
            seconds=options.timeout,
            hidden=options.hidden,
            scheduler=options.scheduler,
            resume=options.resume,
        )
    )


def run_gradescope(options: argparse.Namespace) -> int:
    from sslcourse import course
    from sslcourse.grading import gradescope

    lesson = course.lesson(options.lesson)
    out = options.out or Path(f"gradescope_{lesson.id}.zip")
    gradescope.write(lesson, out)
    print(f"wrote {out}")
    return 0


def run_slides(options: argparse.Namespace) -> int:
    from sslcourse import course
    from sslcourse.authoring import slides

    lesson = course.lesson(options.lesson)
    out = options.out or Path(f"{lesson.file}.slides.html")
    slides.write_slides(lesson, out)
    print(f"wrote {out}: open it in a browser; arrow keys turn the slides, F fills the screen, Esc shows them all")
    return 0


def run_data(options: argparse.Namespace) -> int:
    from sslcourse import data
    from sslcourse.data import downloaded

    if options.fetch is not None:
        print(f"{options.fetch} is in {downloaded.fetch(options.fetch)}")
        return 0
    for entry in data.describe():
        print(f"{entry['name']}: {entry['what']}\n  from {entry['source']}\n  licence: {entry['licence']}")
        print(f"  {entry['where']}")
    return 0


def run_build(options: argparse.Namespace) -> int:
    from sslcourse import course
    from sslcourse.authoring import builder

    lessons = [course.lesson(options.lesson)] if options.lesson else None
    if options.check:
        sentences = builder.stale(lessons)
        print("\n".join(sentences) or "notebooks/ and README.md are what course/ says.")
        return 1 if sentences else 0
    for lesson in lessons or course.lessons():
        builder.build(lesson, run=not options.no_execute)
        print(f"built {lesson.notebook.name}", flush=True)
    builder.write_pages()
    return 0


def run_measure(options: argparse.Namespace) -> int:
    from sslcourse import course
    from sslcourse.authoring import measuring

    lesson = course.lesson(options.lesson)
    measuring.measure(lesson, options.seeds, options.profile, options.jobs, options.device)
    print(f"wrote {lesson.ledger(options.profile).name}")
    return 0


def main() -> int:
    """Run the command; 2 for what the user can mend, with one sentence on stderr."""
    options = parser().parse_args()
    try:
        return options.run(options)
    except CourseError as error:
        print(f"sslcourse: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        path = error.filename2 or error.filename or "a file"  # the second is the one that was asked for
        print(f"sslcourse: {path}: {error.strerror or error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sslcourse: stopped.", file=sys.stderr)
        return 130
