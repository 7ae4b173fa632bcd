"""`sslcourse new 4.3 clustering`: the files of a new lesson, which builds, checks and passes as it stands."""

import re
from pathlib import Path

from sslcourse import course, paths
from sslcourse.errors import CourseError
from sslcourse.files import write_atomic

TEMPLATES = Path(__file__).parent / "templates" / "lesson"
PLAN = "# The plan of the whole course"  # course.toml: the lessons end here
IMPORTS = re.compile(r"(?:^from sslcourse\S* import .*\n)+", re.MULTILINE)
FILES = {  # template -> where it goes
    "lesson": "course/MODULE/NUMBER_TOPIC.py",
    "reference": "sslcourse/ROOM/TOPIC.py",
    "figures": "sslcourse/figures/TOPIC.py",
    "checks": "sslcourse/checks/TOPIC.py",
    "bank": "tests/banks/TOPIC.py",
    "test": "tests/test_TOPIC.py",
}


def new(id: str, topic: str) -> list[Path]:
    """Write a new lesson's files and enter it in course.toml; returns what was written.

    Raises CourseError for an id or a topic that will not do, or is taken, and where one of the files is there already.
    """
    check_names(id, topic)
    words = placeholders(id, topic)
    texts = {paths.ROOT / fill(place, words): fill(template(name), words) for name, place in FILES.items()}
    room = paths.ROOT / fill("sslcourse/ROOM/__init__.py", words)
    if not room.exists():
        texts[room] = f'"""{words["MODULE_TITLE"]} (module {id.partition(".")[0]})."""\n'
    for path in texts:
        if path.exists():
            raise CourseError(f"{path.relative_to(paths.ROOT)} is there already; choose another topic.")
    course_map = paths.COURSE / "course.toml"
    entered = enter(course_map.read_text(encoding="utf-8"), id, words)
    for path, text in texts.items():
        write_atomic(path, text)
    write_atomic(course_map, entered)
    return [*texts, course_map]


def check_names(id: str, topic: str) -> None:
    """Refuse an id that is not MODULE.LESSON, a topic that cannot name a file, and either where it is taken."""
    if not re.fullmatch(r"[1-9]\.[1-9]\d?", id):
        raise CourseError(f"The id is {id!r}; it must be the module's number and the lesson's, such as 4.3.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", topic):
        raise CourseError(
            f"The topic is {topic!r}; it must be small letters, digits and _, such as feature_clustering."
        )
    for lesson in course.lessons():
        if id == lesson.id or topic == lesson.topic:
            raise CourseError(f"There is a lesson {lesson.id} {lesson.topic} already.")


def placeholders(id: str, topic: str) -> dict[str, str]:
    """What the templates' words stand for. A module that is not in the map yet is called like the topic."""
    module, number = id.split(".")
    folders = [folder for folder in course.modules() if folder.startswith(f"{module}_")]
    folder = folders[0] if folders else f"{module}_{topic}"
    return {
        "9.9": id,
        "MODULE_TITLE": course.modules().get(folder, topic.replace("_", " ").capitalize()),
        "MODULE": folder,
        "NUMBER": number,
        "ROOM": folder.partition("_")[2],
        "TOPIC": topic,
    }


def template(name: str) -> str:
    """The text of a template."""
    return (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")


def fill(text: str, words: dict[str, str]) -> str:
    """A template with its words replaced, the longer ones first, and its imports from the course in order."""
    for word, value in words.items():
        text = text.replace(word, value)
    return IMPORTS.sub(lambda lines: "".join(sorted(lines[0].splitlines(True), key=lambda line: line.split()[1])), text)


def enter(course_map: str, id: str, words: dict[str, str]) -> str:
    """The map with the lesson, in the order of the ids, and with its module where that is new."""
    later = [lesson.id for lesson in course.lessons() if place(lesson.id) > place(id)]
    before = f'[[lesson]]\nid = "{later[0]}"' if later else PLAN
    course_map = course_map.replace(before, fill(template("map"), words) + "\n" + before, 1)
    if words["MODULE"] not in course.modules():
        module = f'[[module]]\nfolder = "{words["MODULE"]}"\ntitle = "{words["MODULE_TITLE"]}"\n\n'
        course_map = course_map.replace("[[lesson]]", module + "[[lesson]]", 1)
    return course_map


def place(id: str) -> tuple[int, ...]:
    """An id as numbers, so that 3.10 comes after 3.9."""
    return tuple(map(int, id.split(".")))
