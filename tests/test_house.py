"""The house: the repository names no machine, and the syllabus links what there is."""

import re
import subprocess
from pathlib import Path

from sslcourse import course

ROOT = Path(__file__).resolve().parents[1]


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
    built = [str(lesson.notebook.relative_to(ROOT / "notebooks")) for lesson in course.lessons()]
    assert links == built
