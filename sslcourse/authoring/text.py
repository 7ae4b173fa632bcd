"""Rendering: {{ ledger keys }}, {{ course: facts }}, claims and [@citations] in lessons; blocks on pages."""

import os
import re
from pathlib import Path
from string import ascii_lowercase

from sslcourse import course, ledger, paths
from sslcourse.authoring import claims, typed_numbers
from sslcourse.course import Lesson
from sslcourse.errors import BuildError

CITED = re.compile(r"\[@([\w-]+)\]")
CLAIMED = re.compile(r"<!-- claim: (\S+) (.*?) -->", re.DOTALL)
BLOCK = re.compile(r"(<!-- (ledger|course):(.*?) -->\n).*?(<!-- end -->)", re.DOTALL)
NUMBER = re.compile(r"(<!-- number:(\S+)\s(.*?) -->).*?(<!-- end -->)", re.DOTALL)


def render(markdown: str, lesson: Lesson, unmeasured: bool = False) -> str:
    """A cell's text with references and citations filled in, and without its claims, which must hold.

    BuildError for a key that the ledger does not hold, and, a line each, for claims that the ledgers do not bear out.
    """
    if sentences := claims.broken(markdown, lesson, unmeasured):
        raise BuildError("\n".join(sentences))
    markdown = claims.REFERENCE.sub(
        lambda match: reference(" ".join(match[1].split()), lesson, unmeasured), claims.without(markdown)
    )
    return CITED.sub(lambda match: citation(match.group(1), lesson), markdown)


def reference(key: str, lesson: Lesson, unmeasured: bool) -> str:
    """What stands for {{ key }}: a measured number, a difference or a table of them, or a fact of the course's map."""
    kind, _, what = key.partition(":")
    if kind == "course":
        return fact(what.strip(), lesson)
    content = ledger.results(lesson.results)
    if kind == "difference":
        text = claims.difference(what.strip(), content["entries"] if content else {}, unmeasured)
    elif kind == "table":
        table = content and ledger.measured_table(what.strip(), content)
        text = table and table._repr_markdown_()
    else:
        entry = content and content["entries"].get(key)
        text = entry and ledger.with_unit(ledger.render(entry), entry["unit"])
    if not text and not unmeasured:
        raise BuildError(f"the ledger has no {key!r}; run `sslcourse measure {lesson.id}`.")
    return text or "–"


def fact(name: str, lesson: Lesson) -> str:
    """objectives, minutes, exercises (of the lesson), map or everything to do (of the course), as Markdown."""
    if name == "objectives":
        return "\n".join(f"- {objective}" for objective in lesson.objectives)
    if name == "minutes":
        return f"About {lesson.reading_minutes} minutes with the exercises; the code alone runs in {running(lesson)}."
    if name == "exercises":
        rows = [f"| `{e.name}` | {'★' * e.difficulty} | {e.minutes} | {e.points} |" for e in lesson.exercises.values()]
        return "\n".join(["| exercise | difficulty | minutes | points |", "|---|---|---|---|", *rows])
    if name == "map":
        return course_map(lesson.notebook.parent)
    if name == "everything":
        return everything()
    raise BuildError(f"the course has no {name!r}; it has objectives, minutes, exercises, map and everything.")


def everything() -> str:
    """The exercises of all lessons with their points, as a table."""
    rows = [
        f"| {lesson.id} | {', '.join(f'`{e.name}` ({e.points})' for e in lesson.exercises.values())} "
        f"| {lesson.max_points} |"
        for lesson in course.lessons()
    ]
    return "\n".join(["| lesson | exercises (points) | together |", "|---|---|---|", *rows])


def running(lesson: Lesson) -> str:
    """How long the lesson's code takes, as measured."""
    content = ledger.results(lesson.results)
    if not content or "seconds" not in content:
        return "a time not measured yet"
    cores = f"{content['cores']} cores" if content["cores"] > 1 else "one core"
    return f"{ledger.usual_seconds(content):.0f} s on {cores}"


def course_map(folder: Path) -> str:
    """The lessons there are, by module, as a table whose links start in folder."""
    titles = {"": "", **course.modules()}
    rows = [
        f"| {lesson.id} | [{lesson.title}]({relative(lesson.notebook, folder)}) "
        f"| {titles[lesson.module]} | {lesson.reading_minutes} min | {running(lesson)} | {lesson.max_points} |"
        for lesson in course.lessons()
    ]
    return "\n".join(["| | lesson | module | to work through | the code runs in | points |", "|" + "---|" * 6, *rows])


def syllabus(folder: Path) -> str:
    """The weeks of the course as a table; lessons that exist are links, which start in folder."""
    plan, notebooks = course.read_map()["syllabus"], {lesson.id: lesson.notebook for lesson in course.lessons()}

    def named(id: str) -> str:
        title = f"{id} {plan['titles'][id]}"
        return f"[{title}]({relative(notebooks[id], folder)})" if id in notebooks else title

    rows = [
        f"| {count} | {week['lecture']} | {'; '.join(map(named, week['lessons']))} | {reading(week['reading'])} "
        f"| {week['hand_in']} |"
        for count, week in enumerate(plan["week"], start=1)
    ]
    return "\n".join(["| week | lecture | lessons | to read | hand in |", "|" + "---|" * 5, *rows])


def reading(text: str) -> str:
    """What a week's students read, with a link for each [@key] of references.bib."""
    entries = bibliography()
    if missing := set(CITED.findall(text)) - entries.keys():
        raise BuildError(f"course.toml: references.bib has no {min(missing)!r}, which a week's students should read.")
    return CITED.sub(lambda match: "[{}]({})".format(*entries[match[1]]), text)


def relative(path: Path, folder: Path) -> str:
    """A link from a page in folder to path."""
    return Path(os.path.relpath(path, folder)).as_posix()


def citation(key: str, lesson: Lesson) -> str:
    """(Chen et al., 2020), with a link; 2020a and 2020b where the lesson cites two that would look alike."""
    entries = bibliography()
    if key not in entries:
        raise BuildError(f"references.bib has no {key!r}.")
    label, url = entries[key]
    cited = dict.fromkeys(CITED.findall(lesson.source.read_text(encoding="utf-8")))
    alike = [other for other in cited if other in entries and entries[other][0] == label]
    letter = ascii_lowercase[alike.index(key)] if len(alike) > 1 else ""
    return f"([{label}{letter}]({url}))"


def bibliography() -> dict[str, tuple[str, str]]:
    """course/references.bib: key -> (authors and year, link)."""
    entries = {}
    text = (paths.COURSE / "references.bib").read_text(encoding="utf-8")
    for key, entry in re.findall(r"@\w+\{([\w-]+),(.*?)\n\}", text, re.DOTALL):
        fields = dict(re.findall(r"^\s*(\w+) = \{(.*)\},?$", entry, re.MULTILINE))
        names = [author.split(",")[0].strip() for author in fields["author"].split(" and ")]
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        entries[key] = f"{who}, {fields['year']}", fields["url"]
    return entries


def pages() -> list[Path]:
    """The pages beside the lessons: README.md, the syllabus and the instructor guide, where they are."""
    beside = (paths.COURSE / name for name in ("syllabus.md", "instructor_guide.md"))
    return [path for path in (paths.ROOT / "README.md", *beside) if path.exists()]


def page(path: Path) -> tuple[str, str]:
    """A page as it is, and as it should be with its blocks (map, syllabus, tables) and numbers up to date."""
    present = path.read_text(encoding="utf-8")
    if sentences := [sentence for match in CLAIMED.finditer(present) for sentence in broken_on_page(*match.groups())]:
        raise BuildError("\n".join(f"{path.name}: {sentence}" for sentence in sentences))
    if numbers := typed_numbers.found(present):
        raise BuildError(
            f"{path.name}: {numbers[0]!r} is typed by hand; measured numbers stand between ledger markers."
        )
    try:
        wanted = NUMBER.sub(lambda match: match[1] + number(match[2], match[3]) + match[4], present)
    except BuildError as error:
        raise BuildError(f"{path.name}: {error}") from None
    wanted = BLOCK.sub(lambda match: match[1] + block(match[2], match[3], path.parent) + "\n" + match[4], wanted)
    return present, wanted


def broken_on_page(id: str, statements: str) -> list[str]:
    """A sentence for each claim of a page's comment <!-- claim: LESSON A > B --> that the lesson does not bear out."""
    return claims.broken(f"{{{{ claim: {statements} }}}}", course.lesson(id), unmeasured=False)


def number(id: str, key: str) -> str:
    """What a page shows for <!-- number:LESSON key -->; the key may be a difference, as in the lesson's text."""
    return reference(" ".join(key.split()), course.lesson(id), unmeasured=False)


def block(kind: str, what: str, folder: Path) -> str:
    """The inside of a page's block: the map, the syllabus, or a lesson's entries below a prefix ("/" takes all).

    folder: where links start.
    """
    if kind == "course":
        return {"map": course_map, "syllabus": syllabus}[what.strip()](folder)
    name, _, prefix = what.strip().partition(" ")
    content = ledger.results(ledger.path_of(name))
    table = content and ledger.measured_table(prefix.strip().removeprefix("/"), content)
    return table._repr_markdown_() if table else "Not measured yet."
