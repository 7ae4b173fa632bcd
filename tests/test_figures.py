"""Figures and widgets: pure functions that draw, sliders that redraw, failures that are shown, alternative text."""

import re
import sys

import pytest
import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_output

from sslcourse import cells, figures, paths
from sslcourse.figures import Control
from sslcourse.figures.described import Described, course
from sslcourse.training import History


def test_figures_label_their_axes():
    history = History(loss=[3.0, 2.0], std=[0.5, 0.6], rank=[10.0, 20.0])
    drawn = [
        figures.training({"a": history, "b": history}),
        figures.accuracies({"raw": {"1": 0.2, "all": 0.5}, "SimCLR": {"1": 0.4}}, chance=0.1),
    ]
    for figure in drawn:
        assert figure.axes and all(axis.get_xlabel() for axis in figure.axes)
    pictures = figures.pictures({"uint8": torch.zeros(3, 3, 8, 8, dtype=torch.uint8), "grey": torch.rand(3, 1, 8, 8)})
    assert len(pictures.axes) == 6


def test_accuracies_show_the_ledger_s_spread_where_there_is_one():
    table = {"raw": {"1": 0.2, "all": 0.5}, "SimCLR": {"1": 0.4}}
    bare, barred = (figures.accuracies(table, 0.1, spread=s).axes[0] for s in (None, {"SimCLR": {"1": (0.5, 0.1)}}))
    assert len(bare.containers) == 0
    (bar,) = barred.containers
    (line,) = bar.lines[2]
    assert [x for x, _ in line.get_segments()[0]] == pytest.approx([0.4, 0.6])


def test_a_failure_is_shown_and_the_next_good_value_clears_it(shown):
    def draw(n: int) -> Figure:
        if n == 2:
            raise ValueError("two is <no> number")
        return figures.figure(1, 1, 2, 2, "An empty figure.")[0]

    figures.explore(draw, n=Control("IntSlider", 1, "n", min=0, max=5))
    (slider,) = shown[0].children
    slider.value = 2
    assert isinstance(shown[-1], HTML) and "ValueError: two is &lt;no&gt; number" in shown[-1].data
    slider.value = 3
    assert "<img" in shown[-1].data
    with pytest.raises(ValueError, match="two is <no> number"):
        figures.explore(draw, n=Control("IntSlider", 2, "n"))


def test_without_a_notebook_the_first_figure_is_all_there_is(monkeypatch):
    """As in `sslcourse run` on a machine that has no ipywidgets."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    figure = figures.explore(lambda n: figures.figure(1, n, 2, 2, "Empty.")[0], n=Control("IntSlider", 3, "n"))
    assert len(figure.axes) == 3


@pytest.mark.parametrize("alt", ["", " \n "])
def test_a_figure_asks_for_alternative_text(alt):
    with pytest.raises(ValueError, match="needs alternative text"):
        figures.figure(1, 1, 2, 2, alt)
    with pytest.raises(TypeError, match="alt"):
        figures.figure(1, 1, 2, 2)


def test_a_notebook_gets_the_picture_once_and_its_text_with_it():
    """As the kernel stores it, where matplotlib's own formatter is installed, too."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.pylabtools import select_figure_formats
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    select_figure_formats(shell, {"png"})
    figure, _ = figures.figure(
        1,
        1,
        2,
        2,
        """Two "lines" <cross>
        & part.""",
    )
    with capture_output() as captured:
        data, _ = shell.display_formatter.format(figure)
    (shown,) = captured.outputs
    assert data == {} and set(shown.data) == {"text/html", "text/plain"}
    cell = new_code_cell(outputs=[new_output("display_data", data=shown.data)])
    assert cells.pictures(cell) == ["Two &quot;lines&quot; &lt;cross&gt; &amp; part."]
    InteractiveShell.clear_instance()


def test_a_picture_without_text_is_counted_as_one():
    data = [{"image/png": "..."}, {"text/html": '<p><img src="a"><img alt=" " src="b"><img src="c" alt="A cat."></p>'}]
    cell = new_code_cell(outputs=[new_output("display_data", data=part) for part in data])
    assert sorted(cells.pictures(cell)) == ["", "", "", "A cat."]
    assert cells.pictures(new_code_cell()) == []


def test_shared_figures_say_what_they_draw():
    history = History(loss=[3.0, 2.0, 2.5], std=[0.5, 0.6, 0.7], rank=[10.0, 20.0, 40.0])
    told = figures.training({"SimCLR": history}).alt
    assert "SimCLR: pretext loss from 3.00 to 2.50, at least 2.00, std from 0.50 to 0.70" in told
    told = figures.accuracies({"raw": {"1": 0.2, "all": 0.5}}, chance=0.1, title="digits").alt
    assert "chance: 0.10" in told and "digits" in told and "raw: 0.20 (1), 0.50 (all)" in told
    rows = {"patch": torch.rand(3, 3, 8, 8), "view\n1": torch.rand(3, 3, 8, 8)}
    told = figures.pictures(rows, captions=range(1, 4), alt="All are noise.").alt
    assert told == "2 rows of 3 pictures: patch; view 1. Above them: 1, 2 and 3. All are noise."
    told = figures.confusion({"found": (torch.tensor([[0.25, 0.75]]), ["0°", "90°"], "turn")}, ["six"], "digit").alt
    assert "found, digit and turn: six: 0.25 (0°), 0.75 (90°)" in told
    assert (
        "12 hidden units of CD and PCD" in figures.filters({"CD": torch.rand(784, 20), "PCD": torch.rand(784, 20)}).alt
    )
    assert (
        course([1.0]) == "from 1.00 to 1.00"
        and course([1, 3, 0, 2]) == "from 1.00 to 2.00, at most 3.00, at least 0.00"
    )


def test_no_figure_of_the_course_is_made_without_alternative_text():
    """All come from `figure`, or are of its class."""
    sources = [*(paths.ROOT / "sslcourse").rglob("*.py"), *paths.COURSE.rglob("*.py")]
    made = r"\bplt\.(subplots|figure|subplot_mosaic)\("
    for source in sources:
        for call in re.finditer(made, source.read_text(encoding="utf-8")):
            after = call.string[call.start() : call.start() + 500]
            assert "FigureClass=Described" in after, f"{source.name}: {after[:80]}"
    assert isinstance(figures.pictures({"one": torch.rand(1, 1, 8, 8)}), Described)
