"""Grade a class: every submission gets a result file, whatever happens; the reports are written from those."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from sslcourse import cells, course
from sslcourse.course import Lesson
from sslcourse.errors import CourseError
from sslcourse.files import write_atomic
from sslcourse.grading import collect, hidden, report, submission
from sslcourse.grading.box import UNCONTAINED, bubblewrap
from sslcourse.grading.collect import Submission
from sslcourse.grading.pool import Pool, Settings


@dataclass(frozen=True)
class Options:
    """What `sslcourse grade` was asked for.

    seconds: time limit of a cell; hidden: file with an instructor's checks; scheduler: address of a Dask cluster.
    """

    submissions: Path
    lesson: str
    out: Path
    jobs: int
    seconds: float
    hidden: Path | None
    scheduler: str | None
    resume: bool


def main(options: Options) -> int:
    """Grade a class; 0 when every submission has a result. CourseError for what the instructor can mend."""
    lesson = course.lesson(options.lesson)
    handed_in, ignored = collect.submissions(options.submissions, lesson)
    names = report.file_names([each.student for each in handed_in])
    settings = settings_of(lesson, options)
    version = settings.version
    results = finished(options, lesson, version, handed_in, names)
    todo = [each for each in handed_in if each.student not in results]
    warning = "" if options.scheduler else warn()
    grade = on_cluster if options.scheduler else on_this_machine
    with tqdm(total=len(handed_in), initial=len(results), unit="submission", file=sys.stderr) as bar:
        for result in grade(todo, lesson, settings, options):
            results[result["student"]] = result
            write_result(options.out, names, result | {"judged_by": version})
            if result["status"] != "graded":
                bar.write(f"{result['student']}: {result['status']}: {result['sentence']}", file=sys.stderr)
            bar.update()
    report.write(options.out, lesson, [results[student] for student in sorted(results)], names, ignored, warning)
    print(f"Graded {len(results)} of {len(handed_in)} submissions: see {options.out / 'report.html'}.")
    return 0 if len(results) == len(handed_in) else 1


def finished(
    options: Options, lesson: Lesson, version: str, handed_in: list[Submission], names: dict[str, str]
) -> dict[str, dict]:
    """Student -> result of an earlier run, where neither the submission nor what judges it has changed since."""
    folder = options.out / "results"
    if not options.resume:
        if folder.exists() and any(folder.iterdir()):
            raise CourseError(
                f"{options.out} holds results already: go on with them by --resume, or grade anew into another --out."
            )
        return {}
    results = {}
    for each in handed_in:
        try:
            result = json.loads((folder / f"{names[each.student]}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        unchanged = {"digest": each.digest, "lesson": lesson.id, "file": each.name, "judged_by": version}
        if isinstance(result, dict) and unchanged.items() <= result.items():
            results[each.student] = result
    return results


def warn() -> str:
    """Where there is no bubblewrap, print what is not contained, and return it; "" otherwise."""
    reason = bubblewrap()
    if reason is None:
        return ""
    warning = f"{reason[0].upper()}{reason[1:]}. {UNCONTAINED}."
    print(f"sslcourse: warning: {warning}", file=sys.stderr)
    return warning


def settings_of(lesson: Lesson, options: Options) -> Settings:
    """What grading processes must know. CourseError where grading cannot run, or the lesson is not built."""
    if not hasattr(os, "fork"):
        raise CourseError("Grading needs Linux or macOS; on Windows, use WSL. `sslcourse check` works everywhere.")
    cells.built(lesson)  # else there is nothing to grade
    hidden_checks = hidden.read(options.hidden, lesson) if options.hidden else ""
    # The author's answers replace a student's wrong ones, on which later exercises may build.
    return Settings(lesson.id, cells.answers(lesson), options.seconds, hidden_checks)


def on_this_machine(todo: list[Submission], lesson: Lesson, settings: Settings, options: Options) -> Iterator[dict]:
    """Results as they come, from as many grading processes as there are jobs."""
    pool = Pool(settings)
    threads = ThreadPoolExecutor(max(1, min(options.jobs, len(todo))))
    try:
        futures = [threads.submit(submission.grade, each, lesson, pool.grade) for each in todo]
        for future in as_completed(futures):
            yield future.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        pool.stop()
        threads.shutdown()


def on_cluster(todo: list[Submission], lesson: Lesson, settings: Settings, options: Options) -> Iterator[dict]:
    """Results as they come from a Dask cluster, whose workers have this package and a checkout of the course."""
    try:
        import distributed
    except ImportError:
        raise CourseError("--scheduler needs Dask: pip install -c constraints.txt distributed.") from None
    try:
        client = distributed.Client(options.scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise CourseError(f"There is no Dask scheduler at {options.scheduler}: {error}.") from None
    with client:
        shared = {"lesson": lesson, "settings": settings, "version": settings.version}
        futures = dict(zip(client.map(on_worker, todo, **shared, pure=False), todo, strict=True))
        for future in distributed.as_completed(futures):
            if future.status == "finished":
                yield future.result()
            elif isinstance(error := future.exception(), distributed.KilledWorker):
                yield submission.lost(futures[future], lesson)
            elif isinstance(error, CourseError):
                raise error
            else:
                raise CourseError(f"The Dask cluster was lost: {error!r}. Go on with --resume.")


POOLS: dict[str, Pool] = {}
ONE_AT_A_TIME = threading.Lock()  # a Dask worker may have several threads


def on_worker(each: Submission, lesson: Lesson, settings: Settings, version: str) -> dict:
    """On a Dask worker: grade with a pool that stays warm from one submission to the next."""
    with ONE_AT_A_TIME:
        if version not in POOLS:
            if settings.version != version:
                raise CourseError("A Dask worker has another version of the course: all need the same checkout.")
            while POOLS:
                POOLS.popitem()[1].stop()
            POOLS[version] = Pool(settings)
    return submission.grade(each, lesson, POOLS[version].grade)


def write_result(out: Path, names: dict[str, str], result: dict) -> None:
    path = out / "results" / f"{names[result['student']]}.json"
    write_atomic(path, json.dumps(result, ensure_ascii=False, indent=1) + "\n")
