"""From what a class handed in to one notebook a student: folders, flat files, or a zip of either. Nothing runs here."""

import hashlib
import re
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from sslcourse.course import Lesson
from sslcourse.errors import CourseError

LARGEST = 20 * 2**20  # bytes; a lesson with its figures has one or two million
CANVAS = re.compile(r"^(?P<student>[^_]+)(?:_LATE)?(?P<number>_\d+)_\d+_.+$")
MOODLE = re.compile(r"^(?P<student>.+?)(?P<number>_\d+)_assignsubmission_file(_.*)?$")
NBGRADER = re.compile(r"^(?P<student>[^+]+)(?P<number>)\+[^+]+\+.*$")


@dataclass
class Submission:
    """What one student handed in: the newest notebook, and what was passed over for it.

    content is None where the file cannot be taken, and problem then says why, as (status, sentence).
    """

    student: str
    name: str
    content: bytes | None
    problem: tuple[str, str] | None = None
    passed_over: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Tells two contents apart."""
        return hashlib.sha256(self.content or repr(self.problem).encode()).hexdigest()


@dataclass(frozen=True)
class Found:
    """One file: its place below the root, when it was changed, how large it is, and how to read it."""

    path: PurePosixPath
    changed: float
    size: int
    read: Callable[[], bytes]
    link: bool = False


def submissions(source: Path, lesson: Lesson) -> tuple[list[Submission], list[str]]:
    """One submission a student, by name, and the files that belong to none. CourseError where there is nothing."""
    if not source.exists():
        raise CourseError(f"{source} is not there; name the folder or the zip file with the submissions.")
    files = in_folder(source) if source.is_dir() else in_zip(source)
    students: dict[str, list[Found]] = {}
    ignored = []
    for file in sorted(files, key=lambda file: str(file.path)):
        if file.link:
            ignored.append(f"{file.path}: a link, not a file")
        elif hidden(file.path):
            ignored.append(f"{file.path}: a hidden or temporary file")
        elif file.path.suffix.lower() != ".ipynb":
            ignored.append(f"{file.path}: no notebook")
        else:
            students.setdefault(student_of(file.path, lesson), []).append(file)
    if not students:
        raise CourseError(f"There is no notebook (.ipynb) in {source}: expected STUDENT/*.ipynb or STUDENT*.ipynb.")
    return [newest(student, students[student], lesson) for student in sorted(students)], ignored


def in_folder(folder: Path) -> list[Found]:
    """All files below a folder. Links are named, not followed."""
    found = []
    for path in folder.rglob("*"):
        try:
            info = path.lstat()
        except OSError:
            continue
        link = stat.S_ISLNK(info.st_mode)
        if link or stat.S_ISREG(info.st_mode):
            place = PurePosixPath(path.relative_to(folder).as_posix())
            found.append(Found(place, info.st_mtime, info.st_size, path.read_bytes, link))
    return found


def in_zip(path: Path) -> list[Found]:
    """All files in a zip. Nothing is unpacked to disk, so that names in it lead nowhere."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise CourseError(f"{path} is neither a folder nor a zip file that can be read: {error}.") from None
    found = []
    for entry in archive.infolist():
        if not entry.is_dir():
            parts = [part for part in PurePosixPath(entry.filename.replace("\\", "/")).parts if part not in ("/", "..")]
            link = stat.S_ISLNK(entry.external_attr >> 16)
            place = PurePosixPath(*parts) if parts else PurePosixPath("unnamed")
            found.append(Found(place, when(entry), entry.file_size, reader(archive, entry), link))
    return without_common_folder(found)


def when(entry: zipfile.ZipInfo) -> float:
    """When a zip's entry was changed; long ago where its date is none."""
    try:
        return datetime(*entry.date_time).timestamp()
    except ValueError:
        return 0.0


def reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    """Reads no more than LARGEST + 1 bytes, whatever size the archive states."""

    def read() -> bytes:
        with archive.open(entry) as opened:
            return opened.read(LARGEST + 1)

    return read


def without_common_folder(files: list[Found]) -> list[Found]:
    """A zip of one folder is meant as that folder, if what it holds looks like submissions of several students."""
    tops = {file.path.parts[0] for file in files}
    if len(tops) != 1 or any(len(file.path.parts) < 2 for file in files):
        return files
    below = {file.path.parts[1] for file in files if file.path.suffix == ".ipynb"}
    if len(below) < 2 and not any(len(file.path.parts) > 2 for file in files):
        return files
    return [Found(PurePosixPath(*f.path.parts[1:]), f.changed, f.size, f.read, f.link) for f in files]


def hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def student_of(path: PurePosixPath, lesson: Lesson) -> str:
    """Whose notebook this is: the first folder or, for a flat file, what stands before the lesson's or a tool's part.

    Moodle's, Canvas' and nbgrader's names are known; a number that they give a student stays. Elsewhere a flat name is
    the student's, less the lesson's name and marks of attempts: `s17_2_simclr-1.ipynb` and `s17_v2.ipynb` are s17's.
    """
    name = path.parts[0] if len(path.parts) > 1 else path.stem
    for pattern in (MOODLE, NBGRADER, *([CANVAS] if len(path.parts) == 1 else [])):
        if match := pattern.match(name):
            return match["student"].strip() + match["number"]  # two students may have one name
    if len(path.parts) > 1:
        return name
    lesson_part = (
        rf"({re.escape(lesson.file)}|lesson|{re.escape(lesson.id) if '.' in lesson.id else lesson.file})(-\d+)?"
    )
    marks = rf"({lesson_part}|copy\d*|(attempt|try|v|version)[-_ ]?\d+|final|late)"
    shorter = re.sub(rf"([-_ ]+{marks}| ?\(\d+\))+$", "", name, flags=re.IGNORECASE)
    return shorter or name


def newest(student: str, files: list[Found], lesson: Lesson) -> Submission:
    """A student's newest notebook, read if that is possible; of files of one age, that with the lesson's name."""
    last = max(files, key=lambda file: (file.changed, lesson.file in file.path.stem, str(file.path)))
    over = [f"{file.path}: older than {last.path}" for file in files if file is not last]
    if last.size > LARGEST:
        return Submission(student, str(last.path), None, too_large(last.size), over)
    try:
        content = last.read()
    except Exception as error:  # a zip may be damaged in many ways, and a file unreadable
        return Submission(student, str(last.path), None, ("unreadable", f"The file cannot be read: {error}."), over)
    if len(content) > LARGEST:
        return Submission(student, str(last.path), None, too_large(len(content)), over)
    return Submission(student, str(last.path), content, None, over)


def too_large(size: int) -> tuple[str, str]:
    sentence = (
        f"The notebook has {size / 2**20:.0f} MB, and at most {LARGEST // 2**20} MB are taken; clear its outputs."
    )
    return "too large", sentence
