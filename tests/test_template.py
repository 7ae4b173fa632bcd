"""`sslcourse new`: a lesson laid out from the template builds, checks and passes, and touches no shared file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sslcourse import course, paths
from sslcourse.authoring import template
from sslcourse.errors import CourseError


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A copy of the map in a house of its own."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "COURSE", tmp_path / "course")
    paths.COURSE.mkdir()
    original = Path(template.__file__).parents[2] / "course/course.toml"
    (paths.COURSE / "course.toml").write_text(original.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_a_lesson_is_entered_where_its_id_belongs(scratch):
    before = [lesson.id for lesson in course.lessons()]
    template.new("3.2", "positions")
    lesson = course.lesson("3.2")
    assert [each.id for each in course.lessons()] == sorted([*before, "3.2"], key=template.place)
    assert (lesson.topic, lesson.module, lesson.max_points) == ("positions", "3_pretext", 3)
    assert lesson.source.exists() and (scratch / "sslcourse/pretext/positions.py").exists()
    assert not (scratch / "sslcourse/figures/__init__.py").exists()


def test_a_new_module_gets_a_room_and_a_place_in_the_map(scratch):
    template.new("6.1", "planning")
    assert course.modules()["6_planning"] == "Planning" and list(course.modules())[-1] == "6_planning"
    assert (scratch / "sslcourse/planning/__init__.py").read_text() == '"""Planning (module 6)."""\n'
    assert "sslcourse.planning.planning" in (scratch / "sslcourse/checks/planning.py").read_text()


@pytest.mark.parametrize(
    ("id", "topic", "sentence"),
    [
        ("4", "demo", "The id is '4'; it must be the module's number and the lesson's, such as 4.3"),
        ("4.9", "My-Demo", "The topic is 'My-Demo'; it must be small letters"),
        ("4.2", "demo", "There is a lesson 4.2 simclr already"),
        ("4.9", "simclr", "There is a lesson 4.2 simclr already"),
    ],
)
def test_what_cannot_be_laid_out_gets_one_sentence(scratch, id, topic, sentence):
    with pytest.raises(CourseError, match=sentence):
        template.new(id, topic)


def test_nothing_is_overwritten(scratch):
    mine = scratch / "tests/banks/demo.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = (paths.COURSE / "course.toml").read_bytes()
    with pytest.raises(CourseError, match="demo.py is there already; choose another topic"):
        template.new("9.9", "demo")
    assert mine.read_text() == "mine" and (paths.COURSE / "course.toml").read_bytes() == before
    assert not (scratch / "sslcourse").exists()


@pytest.mark.lesson
def test_a_new_lesson_builds_and_passes_as_it_stands(tmp_path):
    root = paths.ROOT

    def run(*command: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
        return process.stdout

    files = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (root / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((root / name).read_bytes())
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
    run("git", "init", "-q")
    run("git", "add", "-A")
    run(*git, "commit", "-qm", "before")

    assert "built 9_demo.ipynb" in run(sys.executable, "-m", "sslcourse", "new", "9.9", "demo")
    changed = dict(
        reversed(line.split(maxsplit=1)) for line in run("git", "status", "--porcelain", "-uall").splitlines()
    )
    assert {name for name, status in changed.items() if status != "??"} == {"course/course.toml"}
    assert set(changed) == {
        "course/course.toml", "course/9_demo/9_demo.py", "course/9_demo/9_demo.results.json",
        "notebooks/9_demo/9_demo.ipynb", "sslcourse/demo/__init__.py", "sslcourse/demo/demo.py",
        "sslcourse/figures/demo.py", "sslcourse/checks/demo.py", "tests/banks/demo.py", "tests/test_demo.py",
    }  # fmt: skip
    run(sys.executable, "-m", "ruff", "check", ".")
    passed = run(sys.executable, "-m", "pytest", "-q", "-k", "demo and not browser", "-p", "no:cacheprovider")
    assert "failed" not in passed and "passed" in passed
