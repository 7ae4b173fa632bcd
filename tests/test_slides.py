"""Lecture mode: slides that need no network and show every figure and formula; a live notebook that presents."""

import re
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from sslcourse import cells, course
from sslcourse.authoring import slides
from sslcourse.errors import BuildError
from tests.test_browser import lab, needs_a_browser, page, photograph  # noqa: F401  fixtures

LESSONS = [pytest.param(lesson, id=lesson.file) for lesson in course.lessons()]


def told(cell, slide_type: str = "-"):
    cell.metadata.slideshow = {"slide_type": slide_type}
    return cell


def test_each_text_and_each_figure_gets_a_slide_and_the_setup_none():
    text, code = told(new_markdown_cell("text")), told(new_code_cell("1"))
    figure = told(
        new_code_cell("plot", outputs=[new_output("display_data", data={"text/html": '<img alt="A line." src="">'})])
    )
    setup = told(new_code_cell("import torch", metadata={"tags": ["setup"]}))
    heading = told(new_markdown_cell("# Title"), "slide")
    cells = [heading, setup, code, text, code, code, figure, text, figure]
    types = [slides.slide_type(cell, before) for before, cell in zip([None, *cells], cells, strict=False)]
    assert types == ["slide", "skip", "-", "subslide", "-", "-", "subslide", "subslide", "subslide"]


def test_formulas_are_set_aside_and_code_is_not_taken_for_one():
    formulas = []
    text = "Cost $\\tau$, `$HOME`, <code>a $ b</code> and\n$$\\sum_i x_i$$ for $a\n= b$."
    left = slides.FORMULA.sub(lambda found: slides.set_aside(found, formulas), text)
    assert re.sub(r"formula\d{4}here", "F", left) == "Cost F, `$HOME`, <code>a $ b</code> and\nF for F."
    assert len(formulas) == 3 and all(made.startswith("<math") for made in formulas)
    assert 'display="block"' in formulas[1] and 'display="inline"' in formulas[0]


def test_a_formula_that_cannot_be_shown_is_named():
    with pytest.raises(BuildError, match="cannot show the formula .*nonsense"):
        slides.mathml(r"\nonsense{x}", "inline")


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_formula_of_the_course_can_be_shown(lesson, tmp_path):
    slides.write_slides(lesson, tmp_path / "deck.html")
    text = (tmp_path / "deck.html").read_text(encoding="utf-8")
    assert not re.search(r"formula\d{4}here", text)
    assert not re.search(r'<(?:script|img|link)[^>]+(?:src|href)="(?!data:)', text), "something would be fetched"


STATE = """() => ({
  slides: Reveal.getTotalSlides(),
  broken: [...document.images].filter(image => !image.complete || !image.naturalWidth).length,
  pictures: document.images.length,
  formulas: [...Reveal.getCurrentSlide().querySelectorAll('math')].map(math => math.getBoundingClientRect().height),
  text: Reveal.getCurrentSlide().innerText,
  index: Reveal.getState().indexh * 1000 + Reveal.getState().indexv,
})"""


@needs_a_browser
@pytest.mark.lesson
def test_slides_open_offline_and_turn(page, tmp_path):  # noqa: F811
    lesson, deck = course.lesson("4.2"), tmp_path / "deck.html"
    command = [sys.executable, "-m", "sslcourse", "slides", "4.2", "--out", str(deck)]
    assert "arrow keys" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    asked, errors = [], []
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(deck.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    notebook = cells.built(lesson)
    state = page.evaluate(STATE)
    assert state["slides"] >= 20 and lesson.title in state["text"]
    assert state["broken"] == 0 and state["pictures"] == sum(len(cells.pictures(cell)) for cell in notebook.cells) > 0
    seen, heights = {state["index"]}, []
    for _ in range(state["slides"] - 1):
        page.keyboard.press("Space")
        state = page.evaluate(STATE)
        heights += state["formulas"]
        if "NT-Xent:" in state["text"]:
            page.wait_for_timeout(300)
            photograph(page, "slides")
        seen.add(state["index"])
    assert len(seen) == state["slides"], "some slide cannot be reached"
    assert len(heights) > 10 and min(heights) > 3, "a formula has no height"
    assert {url for url in asked if not url.startswith("data:")} == {deck.as_uri()} and not errors


@needs_a_browser
@pytest.mark.lesson
def test_the_live_notebook_presents(lab, page):  # noqa: F811
    """By jupyterlab-rise, in which the slider moves during the lecture."""
    _, url = lab
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url("4_contrastive/2_simclr.ipynb").replace("/lab/tree/", "/rise/"))
    page.wait_for_selector(".reveal section.present h1", timeout=300_000)
    page.keyboard.press("Space")
    page.wait_for_selector(".reveal section.present h2:has-text('Predict')", timeout=120_000)
    photograph(page, "rise")
    assert not errors
