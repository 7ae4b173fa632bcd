"""Self-check: whatever became of the notebook, right answers get their points and wrong ones their hint."""

import json
import subprocess
import sys

import nbformat
import pytest

from sslcourse import course
from sslcourse.errors import CourseError
from sslcourse.grading import merge, nbval_text, selfcheck

LESSON = course.lesson("4.2")
RIGHT = {"cosine_similarity": 2, "nt_xent": 4, "momentum_update": 2}
WRONG_XENT = """def nt_xent(v, z, temperature):
    return F.cross_entropy(cosine_similarity(v, v) / temperature, z)"""


@pytest.fixture
def solved(finished, tmp_path):
    """A finished notebook of lesson 4.2, as a dict of JSON, and how to write it where the command will find it."""
    content = json.loads(nbformat.writes(finished(LESSON)))

    def write(name="2_simclr.ipynb", encoding="utf-8"):
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding=encoding)
        return path

    return content, write


def cell(content: dict, id: str) -> dict:
    return next(found for found in content["cells"] if found["id"] == id)


def check(path) -> dict:
    """`sslcourse check --json`, as a student or a script calls it."""
    command = [sys.executable, "-m", "sslcourse", "check", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == (0 if all(entry["passed"] for entry in report["checks"]) else 1)
    return report


def points(report: dict) -> dict:
    return {entry["id"]: entry["points"] for entry in report["checks"]}


def messages(report: dict) -> dict:
    return {entry["id"]: entry["message"] for entry in report["checks"]}


def test_right_answers_get_all_points_in_a_notebook_that_was_played_with(solved):
    content, write = solved
    for found in content["cells"]:
        if found["cell_type"] == "code":  # outputs overwritten, also those that nbval compares
            found["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["something else\n"]}]
    extra = {
        "id": "mine",
        "cell_type": "code",
        "source": ["1 / 0"],
        "metadata": {},
        "outputs": [],
        "execution_count": 7,
    }
    content["cells"] = [extra, *reversed([c for c in content["cells"] if not c["id"].startswith("measure")])]
    cell(content, "nt_xent-check")["source"] = ["print('✓ nt_xent: right (4 points)')"]
    report = check(write("handed in by me.ipynb", encoding="utf-8-sig"))
    assert report == {
        "lesson": "4.2",
        "points": 8,
        "max_points": 8,
        "checks": [{"id": name, "points": n, "passed": True, "message": ""} for name, n in RIGHT.items()],
    }


def test_wrong_and_broken_answers_lose_their_own_points_only(solved):
    content, write = solved
    cell(content, "nt_xent")["source"] = ["# NBVAL_SKIP\n", WRONG_XENT]
    cell(content, "cosine_similarity")["source"] = ["def cosine_similarity(a, b)\n", "    return a @ b.T\n"]
    report = check(write())
    assert points(report) == {"cosine_similarity": 0, "nt_xent": 0, "momentum_update": 2}
    assert "own similarity is left in the denominator" in messages(report)["nt_xent"]
    assert messages(report)["cosine_similarity"].startswith("not solved yet: its cell raised SyntaxError: expected ':'")


def test_a_blank_notebook_gets_no_points_and_says_so():
    report = check(LESSON.notebook)
    assert report["points"] == 0 and report["max_points"] == 8
    assert set(messages(report).values()) == {"not solved yet"}


def test_answers_that_are_gone_twice_there_or_text_are_told(solved):
    content, write = solved
    content["cells"].remove(cell(content, "cosine_similarity"))
    content["cells"].append(cell(content, "nt_xent") | {"source": [WRONG_XENT]})
    cell(content, "momentum_update")["cell_type"] = "markdown"
    found = messages(check(write()))
    assert "was deleted" in found["cosine_similarity"]
    assert "2 different answer cells" in found["nt_xent"]
    assert "no code cell any more" in found["momentum_update"]


def test_a_dead_kernel_is_told(solved):
    content, write = solved
    cell(content, "nt_xent")["source"] = ["import os\n", "os._exit(0)"]
    report = check(write())
    assert points(report)["cosine_similarity"] == 2 and points(report)["nt_xent"] == 0
    assert "kernel died" in messages(report)["nt_xent"]


def test_the_table_is_for_people(solved, capsys):
    content, write = solved
    cell(content, "nt_xent")["source"] = [WRONG_XENT]
    assert selfcheck.main_check(str(write()), as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"4.2 {LESSON.title}"
    assert lines[1].split() == ["✓", "cosine_similarity", "2/2", "passed"]
    assert lines[2].startswith("✗ nt_xent              0/4  each row's own similarity is left in the denominator")
    assert lines[-1] == "4 of 8 points"


def test_ids_that_a_tool_dropped_are_found_by_grade_id(solved):
    content, write = solved
    for found in content["cells"]:
        del found["id"]
    content["nbformat_minor"] = 4
    answers = merge.answers(merge.read(write()), LESSON)
    assert set(answers.sources) == set(RIGHT) and not answers.missing


def test_the_lesson_is_known_by_its_metadata_or_else_by_its_name(solved):
    content, _ = solved
    assert selfcheck.lesson_of(content, "homework").id == "4.2"
    del content["metadata"]["sslcourse"]
    assert selfcheck.lesson_of(content, "2_simclr").id == "4.2"
    with pytest.raises(CourseError, match="There is no lesson 'homework'"):
        selfcheck.lesson_of(content, "homework")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"nbformat": 3, "worksheets": 3}', "no list of cells"),
        (b'{"cells": [3]}', "no list of cells"),
        (b"[]", "no list of cells"),
    ],
)
def test_what_is_no_notebook_gets_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "2_simclr.ipynb"
    path.write_bytes(content)
    with pytest.raises(CourseError, match=sentence):
        merge.read(path)


def test_no_file_gets_one_sentence_on_the_command_line(tmp_path):
    command = [sys.executable, "-m", "sslcourse", "check", str(tmp_path / "nothing.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("sslcourse: ") and "No such file" in done.stderr and done.stderr.count("\n") == 1


def test_the_last_line_of_a_report_is_shown_without_colours():
    report = "Traceback:\n  x\n\x1b[0;31mNameError\x1b[0m: name 'tensr' is not defined\n\n"
    assert nbval_text.last_line(report) == "NameError: name 'tensr' is not defined"
    assert nbval_text.last_line("#x1B[31mKeyError#x1B[0m: 3") == "KeyError: 3", "as junit's XML writes them"
    assert (
        nbval_text.last_line(" \n") == "no reason is given" and nbval_text.last_line("", "ValueError") == "ValueError"
    )
