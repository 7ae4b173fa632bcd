"""The house: names lead from a lesson to its parts, imports point one way, files are short, no machine is named."""

import ast
import builtins
import importlib
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from sslcourse import course
from sslcourse.authoring import text

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sslcourse"
MODULES = [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in sorted(PACKAGE.rglob("*.py"))]
LESSONS = [pytest.param(lesson, id=lesson.file) for lesson in course.lessons()]
TOPICS = {lesson.topic for lesson in course.lessons()}
# Folders with a file for each topic, and what else is in them.
BY_TOPIC = {
    "sslcourse/figures": {"__init__", "described", "drawing", "sliders"},
    "sslcourse/checks": {"__init__"},
    "sslcourse/checks/apply": {"__init__"},
    "tests/banks": {"__init__", "hostile"},
}


def test_topics_are_told_apart_by_their_names():
    assert len(TOPICS) == len(course.lessons())


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_topic_leads_to_everything_of_a_lesson(lesson):
    """Its figures and what runs beside the student's code have a file where there are any."""
    for path in (lesson.source, lesson.notebook, f"sslcourse/checks/{lesson.topic}.py"):
        assert (ROOT / path).is_file(), path
    for path in (f"tests/banks/{lesson.topic}.py", f"tests/test_{lesson.topic}.py"):
        assert (ROOT / path).is_file(), path
    for name, check in importlib.import_module(f"sslcourse.checks.{lesson.topic}").CHECKS.items():
        assert name in lesson.exercises
        assert check.run.__module__ in ("sslcourse.checks.apply", f"sslcourse.checks.apply.{lesson.topic}"), name


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_draws_with_its_own_figures_only(lesson):
    own = re.findall(r"from sslcourse\.figures import (\w+) as", lesson.source.read_text(encoding="utf-8"))
    assert set(own) <= {lesson.topic}
    assert bool(own) == (PACKAGE / "figures" / f"{lesson.topic}.py").exists()


@pytest.mark.parametrize(("folder", "shared"), BY_TOPIC.items(), ids=BY_TOPIC)
def test_no_file_belongs_to_no_lesson(folder, shared):
    strays = {path.stem for path in (ROOT / folder).glob("*.py")} - shared - TOPICS
    assert not strays


@pytest.mark.parametrize("folder", BY_TOPIC)
def test_a_shared_file_names_no_lesson(folder):
    """Adding a lesson must touch none of them."""
    for name in BY_TOPIC[folder] - {"hostile"}:
        source = (ROOT / folder / f"{name}.py").read_text(encoding="utf-8")
        named = [topic for topic in TOPICS if re.search(rf"(\.|import ){topic}\b", source)]
        assert not named, f"{folder}/{name}.py names {named}"


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports, wherever in it, as dotted names below sslcourse."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sslcourse":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("sslcourse.")}
    return {name.removeprefix("sslcourse.") for name in names}


def room(path: Path) -> str:
    """The room of a file, or the file itself where it stands alone."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def arrows() -> dict[str, set[str]]:
    """Room -> the rooms it imports from."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        found.setdefault(room(path), set()).update(name.split(".")[0] for name in imported(path))
    return {name: targets - {name} for name, targets in found.items()}


def test_imports_run_in_no_circle():
    order = list(TopologicalSorter(arrows()).static_order())  # raises CycleError, with the circle
    assert order[-1] == "__main__"


METHODS = {lesson.module.partition("_")[2] for lesson in course.lessons() if lesson.module} | {"training", "adaptation"}
GROUND = {"data", "augment", "encoders", "measures", "devices", "ledger", "course", "errors", "files", "paths"}
MAY_IMPORT = {
    **{name: METHODS | GROUND for name in sorted(METHODS)},
    "figures": METHODS | GROUND,
    "checks": METHODS | GROUND,
    "authoring": {"cells", "course", "errors", "files", "ledger", "paths", "devices"},
    "grading": {"cells", "checks", "course", "devices", "errors", "files", "paths"},
    **{name: GROUND for name in sorted(GROUND)},
}


@pytest.mark.parametrize(("name", "allowed"), MAY_IMPORT.items(), ids=MAY_IMPORT)
def test_arrows_point_one_way(name, allowed):
    """Methods know no figures, checks, authoring or grading; authoring and grading do not know each other."""
    assert arrows().get(name, set()) <= allowed


@pytest.mark.parametrize("path", MODULES)
def test_files_and_functions_are_short(path):
    """300 lines and 40; a function that is nothing but a table of mistakes may be as long as the table."""
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and not node.name.endswith("_mistakes"):
            assert node.end_lineno - node.lineno < 40, f"{node.name} has {node.end_lineno - node.lineno + 1} lines"


@pytest.mark.parametrize("path", MODULES)
def test_names_shadow_nothing_of_python(path):
    assert path.stem in ("__init__", "__main__") or path.stem not in sys.stdlib_module_names
    names = {getattr(node, "name", "") for node in ast.parse(path.read_text(encoding="utf-8")).body}
    assert not {name for name in names if not name.startswith("__")} & set(dir(builtins))


def test_no_registry_or_machine_is_named():
    """Nothing in the repository depends on where it was written."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".txt", ".toml", ".yml", ".md", ".py", ".ipynb", "") and path.exists():
            found = re.search(r"--(extra-)?index-url|--find-links|/root/|/home/\w+/", path.read_text(encoding="utf-8"))
            assert not found or path == Path(__file__), f"{name} holds {found.group()!r}"


def test_the_syllabus_links_just_the_lessons_that_exist():
    links = re.findall(r"\]\(\.\./notebooks/(\S+?)\)", (ROOT / "course/syllabus.md").read_text(encoding="utf-8"))
    planned = {id for week in course.read_map()["syllabus"]["week"] for id in week["lessons"]}
    lessons = [lesson for lesson in course.lessons() if lesson.id in planned]
    assert links == [str(lesson.notebook.relative_to(ROOT / "notebooks")) for lesson in lessons]
    assert {"0", "1.1", "4.2", "5.1"} <= {lesson.id for lesson in lessons}


def test_the_pages_are_what_the_map_and_the_ledgers_say():
    for path in text.pages():
        present, wanted = text.page(path)
        assert present == wanted, f"{path.name}: run `sslcourse build --no-execute`"
