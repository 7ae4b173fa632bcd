"""Figures and widgets: pure functions that draw, sliders that redraw, failures that are shown."""

import pytest
import torch
from IPython.display import HTML, Image
from matplotlib.figure import Figure

from sslcourse import augment, encoders, plots, plots_views, widgets
from sslcourse.training import History


@pytest.fixture
def pairs():
    torch.manual_seed(0)
    return torch.randn(16, 8), torch.arange(16).roll(8)


def test_temperature_sharpens_the_probabilities(pairs):
    v, z = pairs
    matrices = [plots.temperature(v, z, t).axes[0].images[0].get_array() for t in (0.01, 10)]
    for matrix in matrices:
        assert abs(matrix.sum(axis=1) - 1).max() < 1e-5 and abs(matrix.diagonal()).max() == 0
    assert matrices[0].max() > 0.99 and matrices[1].max() < 0.08
    shares = [bar.get_height() for bar in plots.temperature(v, z, 0.1).axes[1].patches]
    assert sum(shares) == pytest.approx(1, abs=1e-5) and shares == sorted(shares, reverse=True) and len(shares) == 14


def test_figures_label_their_axes(pairs):
    history = History(loss=[3.0, 2.0], std=[0.5, 0.6], rank=[10.0, 20.0])
    figures = [
        plots.training({"a": history, "b": history}),
        plots.accuracies({"raw": {"1": 0.2, "all": 0.5}, "SimCLR": {"1": 0.4}}, chance=0.1),
        plots.temperature(*pairs, 0.2),
    ]
    for figure in figures:
        drawn = [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]
        assert drawn and all(axis.get_xlabel() for axis in drawn)
    pictures = plots.pictures({"uint8": torch.zeros(3, 3, 8, 8, dtype=torch.uint8), "grey": torch.rand(3, 1, 8, 8)})
    assert len(pictures.axes) == 6


def test_accuracies_show_the_ledger_s_spread_where_there_is_one():
    table = {"raw": {"1": 0.2, "all": 0.5}, "SimCLR": {"1": 0.4}}
    bare, barred = (plots.accuracies(table, 0.1, spread=s).axes[0] for s in (None, {"SimCLR": {"1": (0.5, 0.1)}}))
    assert len(bare.containers) == 0
    (bar,) = barred.containers
    (line,) = bar.lines[2]
    assert [x for x, _ in line.get_segments()[0]] == pytest.approx([0.4, 0.6])


def test_the_slider_redraws(pairs, shown):
    widgets.temperature(*pairs)
    box, first = shown
    (slider,) = box.children
    assert slider.description == "temperature" and slider.continuous_update is False
    assert isinstance(first, Image), "a static figure stays in the notebook"
    slider.value = 1.0
    assert isinstance(shown[-1], Image) and shown[-1].data != first.data


def test_the_explorer_shows_what_each_encoder_makes_of_ten_sliders(shown):
    torch.manual_seed(0)
    pictures = torch.randint(256, (20, 3, 32, 32), dtype=torch.uint8)
    networks = {"one": encoders.ConvNet(3, (8, 8, 8)), "two": encoders.ConvNet(3, (8, 8, 8))}
    widgets.views(pictures, networks, number=4, strengths={})
    box, first = shown
    sliders = {slider.description: slider for slider in box.children}
    assert set(augment.FIGURE_4) < set(sliders) and sliders["picture"].value == 4
    sliders["colour jitter"].value = 1.0
    assert isinstance(shown[-1], Image) and shown[-1].data != first.data
    jittered = shown[-1].data
    sliders["colour jitter"].value = 0.0
    assert shown[-1].data == first.data != jittered


def test_the_explorer_s_bars_are_one_where_nothing_changed():
    torch.manual_seed(0)
    pictures = torch.rand(20, 3, 32, 32)
    networks = {"one": encoders.ConvNet(3, (8, 8, 8)).eval()}
    features = {"one": networks["one"](pictures).detach()}
    for changed, same in ((pictures[4:5], True), (1 - pictures[4:5], False)):
        figure = plots_views.explorer(pictures, 4, changed, networks, features)
        axes = {axis.get_label(): axis for axis in figure.axes}
        (bar,) = axes["bars"].patches
        assert (bar.get_height() > 0.999) == same
        nearest = torch.tensor(axes["nearest 0"].images[0].get_array())
        assert torch.equal(nearest, pictures[4].permute(1, 2, 0)) == same
    gallery = plots_views.gallery({"a": pictures[0], "b": pictures[1]}, columns=3)
    assert [axis.get_title() for axis in gallery.axes] == ["a", "b", ""]


def test_a_failure_is_shown_and_the_next_good_value_clears_it(shown):
    import ipywidgets

    def draw(n: int) -> Figure:
        if n == 2:
            raise ValueError("two is <no> number")
        return plots.figure(1, 1, 2, 2)[0]

    slider = ipywidgets.IntSlider(1, 0, 5)
    widgets.explore(draw, n=slider)
    slider.value = 2
    assert isinstance(shown[-1], HTML) and "ValueError: two is &lt;no&gt; number" in shown[-1].data
    slider.value = 3
    assert isinstance(shown[-1], Image)
    with pytest.raises(ValueError, match="two is <no> number"):
        widgets.explore(draw, n=ipywidgets.IntSlider(2))
