"""The map of the course: course/course.toml as lessons with objectives, exercises, points and files."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from sslcourse import paths
from sslcourse.errors import CourseError


@dataclass(frozen=True)
class Exercise:
    """One graded exercise: points, minutes it takes, difficulty from 1 (easy) to 4."""

    name: str
    points: int
    minutes: int
    difficulty: int


@dataclass(frozen=True)
class Lesson:
    """One lesson: its place in the map and its three files (source, results, notebook)."""

    id: str
    title: str
    module: str
    file: str
    reading_minutes: int
    objectives: list[str]
    needs: list[str]
    exercises: dict[str, Exercise]

    @property
    def topic(self) -> str:
        """The file's name without its number: "simclr". Its checks and its bank of answers are called so, too."""
        return self.file.partition("_")[2]

    @property
    def source(self) -> Path:
        return paths.COURSE / self.module / f"{self.file}.py"

    @property
    def results(self) -> Path:
        """The ledger of the cpu profile, whose numbers the text tells."""
        return self.ledger("cpu")

    def ledger(self, profile: str) -> Path:
        """The ledger of a profile: FILE.results.json for cpu, FILE.gpu.results.json for gpu."""
        middle = "" if profile == "cpu" else f".{profile}"
        return paths.COURSE / self.module / f"{self.file}{middle}.results.json"

    @property
    def notebook(self) -> Path:
        return paths.NOTEBOOKS / self.module / f"{self.file}.ipynb"

    @property
    def max_points(self) -> int:
        return sum(exercise.points for exercise in self.exercises.values())


def read_map() -> dict:
    """course.toml as it is written: {"module": [...], "lesson": [...]}."""
    path = paths.COURSE / "course.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"{path} is missing: sslcourse needs a checkout of the course.") from None
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{path} is not valid TOML: {error}.") from None


def modules() -> dict[str, str]:
    """Folder -> title, in the order of the course."""
    return {module["folder"]: module["title"] for module in read_map().get("module", [])}


def lessons() -> list[Lesson]:
    """All lessons in the order of the course; a hole in course.toml is a CourseError that names it."""
    by_id: dict[str, Lesson] = {}
    for entry in read_map().get("lesson", []):
        try:
            exercises = [Exercise(**exercise) for exercise in entry.get("exercise", [])]
            lesson = Lesson(
                id=entry["id"],
                title=entry["title"],
                module=entry.get("module", ""),
                file=entry["file"],
                reading_minutes=entry["reading_minutes"],
                objectives=entry["objectives"],
                needs=entry["needs"],
                exercises={exercise.name: exercise for exercise in exercises},
            )
        except (KeyError, TypeError) as error:
            raise CourseError(f"course.toml, lesson {entry.get('id', '?')}: {error} is missing or wrong.") from None
        if lesson.id in by_id or len(lesson.exercises) < len(exercises):
            raise CourseError(f"course.toml: lesson {lesson.id}, or an exercise in it, is there twice.")
        by_id[lesson.id] = lesson
    return list(by_id.values())


def lesson(name: str | Path) -> Lesson:
    """The lesson with this id ("4.2"), file name ("2_simclr") or path to its source or notebook."""
    everything = lessons()
    for entry in everything:
        if str(name) in (entry.id, entry.file) or Path(name).resolve() in (entry.source, entry.notebook):
            return entry
    ids = ", ".join(entry.id for entry in everything)
    raise CourseError(f"There is no lesson {str(name)!r}; the lessons are {ids}.")
