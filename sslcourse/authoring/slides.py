"""Lecture mode: a built lesson as slides in one HTML file, which needs neither a network nor a kernel."""

import re
from pathlib import Path

from nbformat import NotebookNode

from sslcourse.cells import built, pictures
from sslcourse.course import Lesson
from sslcourse.errors import BuildError
from sslcourse.files import write_atomic

# Code comes first, so that a dollar in it begins no formula.
FORMULA = re.compile(r"```.*?```|`[^`\n]*`|<code>.*?</code>|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$]+?)\$", re.DOTALL)
PICTURE = "deck-picture"  # tag of cells whose code stays in the notebook: a lecture shows the figure, large
NOT_KNOWN = {r"\arg": r"\operatorname{arg}", r"\big": ""}  # to latex2mathml


def write_slides(lesson: Lesson, path: Path) -> None:
    """Write a lesson's slides, pictures and all. BuildError where the lesson is not built, or a tool is missing."""
    notebook, formulas = built(lesson), []
    for before, cell in zip([None, *notebook.cells], notebook.cells, strict=False):
        cell.metadata.slideshow = {"slide_type": slide_type(cell, before)}
        if pictures(cell):
            cell.metadata.tags = [*cell.metadata.get("tags", []), PICTURE]
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(lambda match: set_aside(match, formulas), cell.source)
    page = render(notebook, f"{lesson.id} {lesson.title}")
    for number, mathml in enumerate(formulas):
        page = page.replace(token(number), mathml)
    write_atomic(path, page)


def slide_type(cell: NotebookNode, before: NotebookNode | None) -> str:
    """Where a cell goes: what the lesson says or, where it says nothing, a slide for each text and for each figure."""
    if "setup" in cell.metadata.get("tags", []):
        return "skip"
    told = cell.metadata.slideshow.slide_type
    text_after_code = cell.cell_type == "markdown" and before is not None and before.cell_type == "code"
    return "subslide" if told == "-" and (text_after_code or pictures(cell)) else told


def set_aside(match: re.Match, formulas: list[str]) -> str:
    """Enter a formula as MathML, which browsers draw by themselves, and leave a token that Markdown does not touch."""
    tex = match["block"] or match["inline"]
    if tex is None:
        return match[0]
    formulas.append(mathml(tex, "block" if match["block"] else "inline"))
    return token(len(formulas) - 1)


def token(number: int) -> str:
    return f"formula{number:04}here"


def mathml(tex: str, display: str) -> str:
    """A formula as MathML. BuildError where the converter leaves TeX in it."""
    from latex2mathml.converter import convert

    for macro, instead in NOT_KNOWN.items():
        tex = re.sub(rf"{re.escape(macro)}(?![a-zA-Z])", lambda _, instead=instead: instead, tex)
    markup = convert(tex, display=display)
    if left := re.search(r"\\\w+|<merror|<mi>&<", markup):
        raise BuildError(f"slides cannot show the formula {tex!r}: {left[0]} is not understood.")
    return markup


def render(notebook: NotebookNode, title: str) -> str:
    """The page. reveal.js comes from the package sphinx-revealjs, which holds a copy."""
    try:
        import sphinx_revealjs
        from nbconvert import SlidesExporter
    except ImportError:
        raise BuildError("slides need nbconvert and sphinx-revealjs: run `make test` or `make build` once.") from None
    reveal = Path(sphinx_revealjs.__file__).parent / "_static" / "revealjs" / "dist"
    theme = (reveal / "theme" / "white.css").read_text(encoding="utf-8")
    deck = {
        "title": title,
        "reveal_js": (reveal / "reveal.js").read_text(encoding="utf-8"),
        "reveal_css": (reveal / "reveal.css").read_text(encoding="utf-8"),
        "theme_css": re.sub(r"@import [^;]+;", "", theme),  # fonts, which would be fetched
    }
    exporter = SlidesExporter(template_name="deck", extra_template_basedirs=[str(Path(__file__).parent / "templates")])
    page, _ = exporter.from_notebook_node(notebook, resources={"deck": deck})
    return page
