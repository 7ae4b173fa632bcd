"""The package as a grading kernel sees it: no reference answers, no verdicts, no lesson sources, no notebooks."""

import ast
import inspect
import shutil
from pathlib import Path

from sslcourse import checks, course, paths

PACKAGE = Path(__file__).resolve().parent.parent
LEFT_OUT = ("authoring", "checks", "grading", "cli.py", "__main__.py", "__pycache__")
FROM_GRADING = ("__init__.py", "hand_over.py", "wire.py", "zygote.py")
SENTENCE = "the course's own answer is not here while answers are graded"


def write_tree(folder: Path) -> None:
    """Write the redacted package, and the map of the course that it reads, into an empty folder."""
    package = folder / "sslcourse"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (package / "grading").mkdir()
    for name in FROM_GRADING:
        shutil.copy(PACKAGE / "grading" / name, package / "grading" / name)
    shutil.copytree(PACKAGE / "checks" / "apply", package / "checks" / "apply")
    shutil.copy(PACKAGE / "grading" / "blank_checks.py", package / "checks" / "__init__.py")
    (folder / "course").mkdir()
    shutil.copy(paths.COURSE / "course.toml", folder / "course" / "course.toml")
    for file, names in references().items():
        if (copied := package / file).exists():
            copied.write_text(without_answers(copied.read_text(encoding="utf-8"), names), encoding="utf-8")


def references() -> dict[Path, set[str]]:
    """File within the package -> names of the functions in it that are right answers."""
    names: dict[Path, set[str]] = {}
    for lesson in course.lessons():
        for check in checks.by_exercise(lesson).values():
            path = Path(inspect.getsourcefile(inspect.unwrap(check.reference))).resolve().relative_to(PACKAGE)
            names.setdefault(path, set()).add(check.reference.__name__)
    return names


def without_answers(source: str, names: set[str]) -> str:
    """Python source in which these functions only raise, and without comments."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            node.body = ast.parse(f"raise RuntimeError({SENTENCE!r})").body
    return ast.unparse(tree)
