"""An autograder for Gradescope: a zip with setup.sh, run_autograder, the package and one lesson.

Layout after Gradescope's autograder documentation ("Autograder Specifications"): the zip is unpacked into
/autograder/source, setup.sh runs once, and for each submission run_autograder, which then lies in /autograder, reads
/autograder/submission and writes /autograder/results/results.json. No path is fixed here, so that it runs anywhere.
"""

import zipfile
from pathlib import Path

from sslcourse import cells, paths
from sslcourse.course import Lesson
from sslcourse.files import replacing

SETUP = """#!/usr/bin/env bash
# Runs once, when Gradescope builds the autograder's image.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v python3.11 python3.12 python3.13 >/dev/null || ! command -v bwrap >/dev/null; then
  apt-get update -q
  apt-get install -qy --no-install-recommends bubblewrap python3.11 python3.11-venv ||
    apt-get install -qy --no-install-recommends bubblewrap python3 python3-venv
fi
bash .ci/setup .venv/.ready
"""

RUN = """#!/usr/bin/env bash
# Runs for each submission.
set -uo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p results "$work/handed_in/student"
cp -R submission/. "$work/handed_in/student/"
log=$(source/.venv/bin/sslcourse grade "$work/handed_in" --lesson {lesson} --out "$work/grades" --jobs 1 2>&1)
if ! cp "$work/grades/gradescope/student/results.json" results/results.json; then
  LOG="$log" source/.venv/bin/python - > results/results.json <<'END'
import json, os
print(json.dumps({{"score": 0, "output": "This could not be graded: " + os.environ["LOG"][-2000:]}}))
END
fi
"""


def write(lesson: Lesson, path: Path) -> None:
    """Write the autograder's zip. CourseError where the lesson is not built."""
    cells.built(lesson)  # else there is nothing to grade
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        add(archive, "setup.sh", SETUP)
        add(archive, "run_autograder", RUN.format(lesson=lesson.id))
        for source in contents(lesson):
            archive.write(source, source.relative_to(paths.ROOT))


def contents(lesson: Lesson) -> list[Path]:
    """The files of the checkout that grading a lesson needs, the lesson's source with its answers among them."""
    package = [path for path in sorted((paths.ROOT / "sslcourse").rglob("*")) if path.suffix in (".py", ".html")]
    names = ["pyproject.toml", "constraints.txt", "README.md", "LICENSE", ".ci/setup", "course/course.toml"]
    return [
        *package,
        *(paths.ROOT / name for name in names),
        paths.COURSE / "references.bib",
        *(path for path in (lesson.source, lesson.results, lesson.notebook) if path.exists()),
    ]


def add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    """Add an executable script to the zip."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o100755 << 16
    archive.writestr(entry, text)
