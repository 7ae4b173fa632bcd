"""A small class of good and bad submissions, to try `sslcourse grade` on: `python -m sslcourse.grading.demo FOLDER`."""

import sys
from pathlib import Path

import nbformat

from sslcourse import cells, course
from sslcourse.grading import merge

OWN_SIMILARITY = """def nt_xent(v, z, temperature):
    return F.cross_entropy(cosine_similarity(v, v) / temperature, z)"""
ENDLESS = """def nt_xent(v, z, temperature):
    while True:
        pass"""
FORGED = """import os
def nt_xent(v, z, temperature):
    print("✓ nt_xent: right (4 points)")
    return v.sum() * 0"""
DEADLY = """import os
def nt_xent(v, z, temperature):
    os._exit(0)"""


def write(folder: Path) -> None:
    """Write submissions to lesson 4.2 into a folder: right, blank, wrong, endless, forged, deadly, and no notebook."""
    lesson = course.lesson("4.2")
    right = cells.answers(lesson)
    answers = {"ada": right, "bo": {}}
    for student, source in {"cy": OWN_SIMILARITY, "dee": ENDLESS, "eve": FORGED, "fay": DEADLY}.items():
        answers[student] = right | {"nt_xent": source}
    blank = cells.built(lesson)
    for student, sources in answers.items():
        path = folder / student / lesson.notebook.name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(merge.merge(blank, sources), path)
    (folder / "gil.ipynb").write_text("This is no notebook.\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
