"""Find one notebook for each student in what a class handed in: folders, files, or a zip of either. Nothing is run."""

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

LARGEST = 20 * 2**20  # bytes; a lesson with its figures has one or two megabytes
CANVAS = re.compile(r"^(?P<student>[^_]+)(?:_LATE)?(?P<number>_\d+)_\d+_.+$")
MOODLE = re.compile(r"^(?P<student>.+?)(?P<number>_\d+)_assignsubmission_file(_.*)?$")
NBGRADER = re.compile(r"^(?P<student>[^+]+)(?P<number>)\+[^+]+\+.*$")


@dataclass
class Submission:
    """What one student handed in: the newest notebook, and the older ones, which were passed over.

    content is None where the file cannot be taken, and problem then says why, as (status, sentence).
    """

    student: str
    name: str
    content: bytes | None
    problem: tuple[str, str] | None = None
    passed_over: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """A hash of the content or, where there is none, of the problem."""
        return hashlib.sha256(self.content or repr(self.problem).encode()).hexdigest()


@dataclass(frozen=True)
class File:
    """One file: its path below the root, when it was changed (seconds since 1970), its size in bytes, its reader."""

    path: PurePosixPath
    changed: float
    size: int
    read: Callable[[], bytes]
    link: bool = False


def submissions(source: Path, lesson: Lesson) -> tuple[list[Submission], list[str]]:
    """One submission a student, sorted by name, and why other files were ignored. CourseError where there is none."""
    if not source.exists():
        raise CourseError(f"{source} is not there; name the folder or the zip file with the submissions.")
    files = in_folder(source) if source.is_dir() else in_zip(source)
    students: dict[str, list[File]] = {}
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


def in_folder(folder: Path) -> list[File]:
    """All files below a folder. Links are named, not followed."""
    files = []
    for path in folder.rglob("*"):
        try:
            info = path.lstat()
        except OSError:
            continue
        link = stat.S_ISLNK(info.st_mode)
        if link or stat.S_ISREG(info.st_mode):
            below = PurePosixPath(path.relative_to(folder).as_posix())
            files.append(File(below, info.st_mtime, info.st_size, path.read_bytes, link))
    return files


def in_zip(path: Path) -> list[File]:
    """All files in a zip. Nothing is unpacked to disk, so no name in it can lead outside a folder."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise CourseError(f"{path} is neither a folder nor a zip file that can be read: {error}.") from None
    files = []
    for entry in archive.infolist():
        if not entry.is_dir():
            parts = [part for part in PurePosixPath(entry.filename.replace("\\", "/")).parts if part not in ("/", "..")]
            link = stat.S_ISLNK(entry.external_attr >> 16)
            below = PurePosixPath(*parts) if parts else PurePosixPath("unnamed")
            files.append(File(below, when(entry), entry.file_size, reader(archive, entry), link))
    return without_common_folder(files)


def when(entry: zipfile.ZipInfo) -> float:
    """When a zip's entry was changed, in seconds since 1970; 0 where its date is not valid."""
    try:
        return datetime(*entry.date_time).timestamp()
    except ValueError:
        return 0.0


def reader(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    """A function that reads at most LARGEST + 1 bytes of an entry, whatever size the archive states."""

    def read() -> bytes:
        with archive.open(entry) as opened:
            return opened.read(LARGEST + 1)

    return read


def without_common_folder(files: list[File]) -> list[File]:
    """The files of a zip's only folder, below it, if they look like submissions of several students; else unchanged."""
    tops = {file.path.parts[0] for file in files}
    if len(tops) != 1 or any(len(file.path.parts) < 2 for file in files):
        return files
    below = {file.path.parts[1] for file in files if file.path.suffix == ".ipynb"}
    if len(below) < 2 and not any(len(file.path.parts) > 2 for file in files):
        return files
    return [File(PurePosixPath(*f.path.parts[1:]), f.changed, f.size, f.read, f.link) for f in files]


def hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def student_of(path: PurePosixPath, lesson: Lesson) -> str:
    """The student whose notebook this is: the first folder or, for a flat file, its name up to the lesson's name.

    Names as Moodle, Canvas and nbgrader give them are recognised; the number that they add to a student is kept. Other
    flat names lose the lesson's name and marks of attempts: `s17_2_simclr-1.ipynb` and `s17_v2.ipynb` are s17's.
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


def newest(student: str, files: list[File], lesson: Lesson) -> Submission:
    """A student's newest notebook, read where it can be; of files of the same age, the one with the lesson's name."""
    latest = max(files, key=lambda file: (file.changed, lesson.file in file.path.stem, str(file.path)))
    passed_over = [f"{file.path}: older than {latest.path}" for file in files if file is not latest]
    if latest.size > LARGEST:
        return Submission(student, str(latest.path), None, too_large(latest.size), passed_over)
    try:
        content = latest.read()
    except Exception as error:  # a zip may be damaged in many ways, and a file unreadable
        problem = "unreadable", f"The file cannot be read: {error}."
        return Submission(student, str(latest.path), None, problem, passed_over)
    if len(content) > LARGEST:
        return Submission(student, str(latest.path), None, too_large(len(content)), passed_over)
    return Submission(student, str(latest.path), content, None, passed_over)


def too_large(size: int) -> tuple[str, str]:
    """(status, sentence) of a file of so many bytes."""
    sentence = (
        f"The notebook has {size / 2**20:.0f} MB, and at most {LARGEST // 2**20} MB are taken; clear its outputs."
    )
    return "too large", sentence
