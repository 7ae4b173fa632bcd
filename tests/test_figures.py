"""Figures and widgets: pure functions that draw, sliders that redraw, failures that are shown."""

import sys

import pytest
import torch
from IPython.display import HTML, Image
from matplotlib.figure import Figure

from sslcourse import figures
from sslcourse.figures import Control
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
        return figures.figure(1, 1, 2, 2)[0]

    figures.explore(draw, n=Control("IntSlider", 1, "n", min=0, max=5))
    (slider,) = shown[0].children
    slider.value = 2
    assert isinstance(shown[-1], HTML) and "ValueError: two is &lt;no&gt; number" in shown[-1].data
    slider.value = 3
    assert isinstance(shown[-1], Image)
    with pytest.raises(ValueError, match="two is <no> number"):
        figures.explore(draw, n=Control("IntSlider", 2, "n"))


def test_without_a_notebook_the_first_figure_is_all_there_is(monkeypatch):
    """As in `sslcourse run` on a machine that has no ipywidgets."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    figure = figures.explore(lambda n: figures.figure(1, n, 2, 2)[0], n=Control("IntSlider", 3, "n", min=0, max=5))
    assert len(figure.axes) == 3
