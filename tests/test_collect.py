"""From what a class handed in to one notebook a student: whatever the layout, nobody is lost, nothing is unpacked."""

import os
import stat
import zipfile
from pathlib import Path

import pytest

from sslcourse import course
from sslcourse.errors import CourseError
from sslcourse.grading import collect

LESSON = course.lesson("4.2")


def write(root: Path, files: dict[str, str], source: str) -> Path:
    """Files as a folder, or as a zip of it; each is a minute newer than the one before."""
    folder = root / "class"
    for minute, (name, text) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1.7e9 + 60 * minute,) * 2)
    if source == "folder":
        return folder
    with zipfile.ZipFile(root / "class.zip", "w") as archive:
        for name in files:
            archive.write(folder / name, name)
    return root / "class.zip"


def collected(source: Path) -> tuple[dict[str, bytes], list[str]]:
    found, ignored = collect.submissions(source, LESSON)
    return {each.student: each.content for each in found}, ignored


LAYOUTS = {
    "folders": {"ada/2_simclr.ipynb": "A", "bo/anything at all.ipynb": "B"},
    "flat": {"ada.ipynb": "A", "bo_2_simclr.ipynb": "B"},
    "flat, with marks of attempts": {"ada_2_simclr-1 (2).ipynb": "A", "bo_v2.ipynb": "B"},
    "deeper": {"ada/lesson/2_simclr.ipynb": "A", "bo/2_simclr.ipynb": "B"},
    "nbgrader, submitted": {"ada/simclr/2_simclr.ipynb": "A", "bo/simclr/2_simclr.ipynb": "B"},
    "nbgrader, inbound": {
        "ada+simclr+2026-11-24 10:00:00 UTC+k3x/2_simclr.ipynb": "A",
        "bo+simclr+2026-11-24 10:01:00 UTC+a9/2_simclr.ipynb": "B",
    },
}


@pytest.mark.parametrize("source", ["folder", "zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_student_is_found_once(tmp_path, layout, source):
    assert collected(write(tmp_path, LAYOUTS[layout], source)) == ({"ada": b"A", "bo": b"B"}, [])


@pytest.mark.parametrize("source", ["folder", "zip"])
@pytest.mark.parametrize(
    "files",
    [
        {"Ada Byron_4711_assignsubmission_file_/a.ipynb": "A", "Ada Byron_4712_assignsubmission_file_/b.ipynb": "B"},
        {"byronada_4711_99_2_simclr.ipynb": "A", "byronada_LATE_4712_98_2_simclr-1.ipynb": "B"},
    ],
    ids=["moodle", "canvas"],
)
def test_two_students_of_one_name_stay_two(tmp_path, files, source):
    found, _ = collected(write(tmp_path, files, source))
    (first, a), (second, b) = sorted(found.items())
    assert first.endswith("_4711") and second.endswith("_4712") and (a, b) == (b"A", b"B")


@pytest.mark.parametrize("source", ["folder", "zip"])
def test_the_newest_is_taken_and_the_others_are_named(tmp_path, source):
    files = {"ada/first.ipynb": "1", "ada/last.ipynb": "2", "bo/2_simclr.ipynb": "3", "bo/notes.txt": "n"}
    found, ignored = collect.submissions(write(tmp_path, files, source), LESSON)
    assert [each.content for each in found] == [b"2", b"3"]
    assert found[0].passed_over == ["ada/first.ipynb: older than ada/last.ipynb"]
    assert ignored == ["bo/notes.txt: no notebook"]


def test_of_one_age_the_lessons_own_name_is_taken(tmp_path):
    folder = write(tmp_path, {"ada/2_simclr.ipynb": "A", "ada/zebra.ipynb": "Z"}, "folder")
    for path in (folder / "ada").iterdir():
        os.utime(path, (1.7e9, 1.7e9))
    assert collected(folder)[0] == {"ada": b"A"}


def test_links_are_named_and_not_followed(tmp_path):
    folder = write(tmp_path, {"ada/2_simclr.ipynb": "A"}, "folder")
    secret = tmp_path / "secret.ipynb"
    secret.write_text("not Bo's")
    (folder / "bo").mkdir()
    (folder / "bo" / "2_simclr.ipynb").symlink_to(secret)
    (folder / "cy").symlink_to(tmp_path)
    assert collected(folder) == (
        {"ada": b"A"},
        ["bo/2_simclr.ipynb: a link, not a file", "cy: a link, not a file"],
    )


def test_links_in_a_zip_are_named_and_not_followed(tmp_path):
    path = write(tmp_path, {"ada/2_simclr.ipynb": "A"}, "zip")
    entry = zipfile.ZipInfo("bo/2_simclr.ipynb")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert collected(path) == ({"ada": b"A"}, ["bo/2_simclr.ipynb: a link, not a file"])


@pytest.mark.parametrize("name", ["../../bo/2_simclr.ipynb", "/bo/2_simclr.ipynb", "..\\bo\\2_simclr.ipynb"])
def test_names_in_a_zip_lead_nowhere(tmp_path, name):
    path = write(tmp_path, {"ada/2_simclr.ipynb": "A"}, "zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "B")
    before = sorted(tmp_path.rglob("*"))
    found, _ = collect.submissions(path, LESSON)
    assert {each.student: each.content for each in found} == {"ada": b"A", "bo": b"B"}
    assert not any(".." in each.name or each.name.startswith("/") for each in found)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_of_the_folder_is_meant_as_the_folder(tmp_path):
    files = {f"Homework 3/{name}": text for name, text in LAYOUTS["folders"].items()}
    assert collected(write(tmp_path, files, "zip")) == ({"ada": b"A", "bo": b"B"}, [])


def test_hidden_files_are_named(tmp_path):
    files = {"ada/2_simclr.ipynb": "A", "ada/.ipynb_checkpoints/2_simclr-checkpoint.ipynb": "old"}
    files["__MACOSX/ada/._2_simclr.ipynb"] = "x"
    found, ignored = collected(write(tmp_path, files, "folder"))
    assert found == {"ada": b"A"} and len(ignored) == 2 and all("hidden or temporary" in line for line in ignored)


def test_a_file_that_unpacks_to_too_much_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "class.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada/2_simclr.ipynb", bytes(collect.LARGEST + 1))
        archive.writestr("bo/2_simclr.ipynb", "B")
    (ada, bo), _ = collect.submissions(tmp_path / "class.zip", LESSON)
    assert ada.content is None and ada.problem[0] == "too large" and "clear its outputs" in ada.problem[1]
    assert bo.content == b"B"


def test_a_damaged_entry_is_one_students_only(tmp_path):
    path = write(tmp_path, {"ada/2_simclr.ipynb": "A" * 500, "bo/2_simclr.ipynb": "B"}, "zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"AAAA") + 100] ^= 1  # the checksum does not fit any more
    path.write_bytes(content)
    (ada, bo), _ = collect.submissions(path, LESSON)
    assert ada.problem[0] == "unreadable" and bo.content == b"B"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.mkdir(), "There is no notebook"),
        (lambda path: path.write_text("no zip"), "neither a folder nor a zip file"),
    ],
)
def test_nothing_to_grade_gets_one_sentence(tmp_path, make, sentence):
    make(tmp_path / "class")
    with pytest.raises(CourseError, match=sentence):
        collect.submissions(tmp_path / "class", LESSON)
