"""Adaptation: probes see no more labels than they say, choose on validation, and stand beside references."""

import pytest
import torch
from torch import nn

from sslcourse import adaptation, augment, data, encoders, ledger, measures
from sslcourse.adaptation import adapters
from sslcourse.data import Split, scripture
from sslcourse.errors import CourseError
from sslcourse.figures import adaptation as adaptation_figures


@pytest.fixture(scope="module")
def digits():
    """Small splits of the digits."""
    whole = data.load("digits")

    def first(split: Split, n: int) -> Split:
        return Split(split.x[:n], split.y[:n])

    parts = {"train": first(whole.train, 600), "val": first(whole.val, 300), "test": first(whole.test, 400)}
    return data.Data("digits", "", whole.classes, **parts, source="", licence="")


def test_few_labels_takes_so_many_of_each_class_and_other_ones_with_another_seed(digits):
    few = adaptation.few_labels(digits.train, 3, seed=0)
    assert few.y.bincount().tolist() == [3] * 10
    assert torch.equal(few.x, adaptation.few_labels(digits.train, 3, seed=0).x)
    assert not torch.equal(few.x, adaptation.few_labels(digits.train, 3, seed=1).x)
    assert adaptation.few_labels(digits.train, None, seed=0) is digits.train
    for x, y in zip(few.x, few.y, strict=True):  # each with its own label
        assert y in digits.train.y[(digits.train.x == x).flatten(1).all(dim=1)]


@pytest.mark.parametrize("labels", [0, -1, 1000])
def test_more_labels_than_there_are_get_one_sentence(digits, labels):
    with pytest.raises(CourseError, match=f"labels_per_class is {labels}; it must lie in 1 to"):
        adaptation.few_labels(digits.train, labels, seed=0)


def test_a_probe_learns_and_more_labels_help(digits):
    accuracies = [adaptation.linear_probe(nn.Flatten(), digits, n).accuracy for n in (1, 10, None)]
    assert 0.15 < accuracies[0] < accuracies[1] < accuracies[2] < 0.95


def test_a_probe_is_chosen_without_the_test_split(digits):
    """With other test labels, the probe is the same one."""
    shuffled = digits.test.y[torch.randperm(len(digits.test))]
    other = data.Data("", "", digits.classes, digits.train, digits.val, Split(digits.test.x, shuffled), "", "")
    first, second = (adaptation.linear_probe(nn.Flatten(), given, 5) for given in (digits, other))
    assert torch.equal(first.head[1].weight, second.head[1].weight) and first.scaling == second.scaling
    assert second.accuracy < 0.3 < first.accuracy
    assert first.score(digits.test.x, digits.test.y) == first.accuracy


def test_a_probe_with_one_label_a_class_chooses_with_one_label_a_class(digits, monkeypatch):
    seen, whole = set(), adaptation.labeled_rows
    monkeypatch.setattr(adaptation.frozen, "labeled_rows", lambda *given: seen.add(given[1]) or whole(*given))
    adaptation.linear_probe(nn.Flatten(), digits, labels_per_class=1)
    assert seen == {1}


def test_references_are_raw_random_and_supervised(digits):
    table = adaptation.references(digits, [10])
    assert list(table) == ["raw input", "random init", "supervised"]
    assert all(0.3 < row["10 labels a class"] < 1 for row in table.values())
    assert table == adaptation.references(digits, [10])


def test_random_init_and_supervised_have_the_encoder_that_was_asked_for(digits):
    shapes = []

    def narrow():
        shapes.append(8)
        return encoders.ConvNet(1, widths=(8, 8, 8))

    adaptation.references(digits, [1, 5], encoder=narrow)
    assert len(shapes) == 3, "once for random init, once for each supervised network"
    assert adaptation.supervised(digits, 1, encoder=narrow)[0].dim == 8


def test_references_of_text_need_no_other_call():
    parts = scripture.parts()
    table = adaptation.references(parts, {"few": 10}, seed=1)
    most = parts.test.y.bincount().max().item() / len(parts.test)
    assert list(table) == ["raw input", "random init", "supervised"] and all(
        list(row) == ["few"] for row in table.values()
    )
    assert 1 / 6 < table["raw input"]["few"] < 1 and max(row["few"] for row in table.values()) > most


def test_budgets_are_a_table_in_the_log(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "path_of", lambda *_: tmp_path / "results.json")
    log = ledger.of_lesson("4.2")
    methods = {"pixels": nn.Flatten(), "half": lambda n: (n or 100) / 200}
    table = adaptation.budgets(digits, methods, [1, 10, None], seed=3, log=log, group="digits")
    assert table["half"] == {"1 label a class": 0.005, "10 labels a class": 0.05, "all labels": 0.5}
    assert table["pixels"]["10 labels a class"] == adaptation.linear_probe(nn.Flatten(), digits, 10, seed=3).accuracy
    recorded = {key: entry["value"] for key, entry in log.run.items()}
    by_distance = {key: recorded.pop(key) for key in list(recorded) if key.startswith("digits by distance/")}
    assert recorded == {
        f"digits/{method}/{name}": value for method, row in table.items() for name, value in row.items()
    }
    ways = ("1 label a class, prototypes", "10 labels a class, prototypes", "10 labels a class, kNN")
    assert by_distance.keys() == {f"digits by distance/pixels/{way}" for way in ways}
    assert all(0.2 < value < 0.95 for value in by_distance.values())
    assert {entry["unit"] for entry in log.run.values()} == {"accuracy"}


def test_a_probe_as_a_layer_answers_as_it_did(digits):
    torch.manual_seed(0)
    encoder = encoders.calibrate(encoders.ConvNet(1), digits.unlabeled())
    result = adaptation.linear_probe(encoder, digits, 5)
    model = nn.Sequential(encoder, result.head)
    assert adaptation.accuracy(model, digits.test.x, digits.test.y) == pytest.approx(result.accuracy, abs=0.01)


def test_neighbours_and_prototypes_of_known_places():
    labeled, y = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 5.0]]), torch.tensor([0, 0, 2])
    query = torch.tensor([[3.0, 0.2], [0.1, 1.0]])
    assert adaptation.by_prototypes(query, labeled, y, classes=3).tolist() == [0, 2]
    assert adaptation.by_neighbours(query, labeled, y, classes=3, k=1).tolist() == [0, 2]
    assert adaptation.by_neighbours(query, labeled, y, classes=3, k=3).tolist() == [0, 2], "near votes weigh more"


RATES, CROPS = (3e-3, 3e-3), augment.Crop(min_area=0.6)


def test_an_adapted_encoder_starts_as_it_was_and_only_its_adapters_learn(digits):
    torch.manual_seed(0)
    encoder = encoders.ConvNet(1).eval()
    x = measures.to_float(digits.test.x[:8])
    adapted = adaptation.add_lora(encoder, rank=2, alpha=4)
    assert torch.allclose(adapted(x), encoder(x), atol=1e-5)
    sizes = [(48, 16), (96, 48 * 9), (192, 96 * 9)]
    assert adaptation.learned(adapted) == sum(2 * (out + size) for out, size in sizes)
    before = {name: value.clone() for name, value in adapted.state_dict().items()}
    model = adaptation.fine_tune(adapted, nn.Linear(192, 10), digits.train, CROPS, RATES, steps=5, averages=False)
    moved = {name for name, value in model[0].state_dict().items() if not torch.equal(value, before[name])}
    assert len(moved) == 6 and all(name.endswith((".A", ".B")) for name in moved)
    assert all(torch.equal(before[name], value) for name, value in adapted.state_dict().items()), "a copy is trained"


def test_a_convolution_is_a_linear_layer_on_patches():
    conv = nn.Conv2d(3, 5, kernel_size=3, stride=2, padding=1, bias=False)
    x = torch.randn(2, 3, 9, 8)
    assert torch.allclose(adapters.OnPatches(conv)(x), conv(x), atol=1e-5)
    conv = nn.Conv2d(3, 5, kernel_size=3, dilation=2, bias=True)
    assert torch.allclose(adapters.OnPatches(conv)(x), conv(x), atol=1e-5)
    with pytest.raises(CourseError, match="in one group, padded with zeros"):
        adapters.OnPatches(nn.Conv2d(4, 4, kernel_size=3, groups=2))


def test_adapters_run_on_any_device():
    encoder = adaptation.add_lora(encoders.ConvNet(3), rank=2, alpha=4).to("meta")
    encoder(torch.rand(2, 3, 32, 32, device="meta")).sum().backward()
    assert {p.grad.device.type for p in encoder.parameters() if p.requires_grad} == {"meta"}
    layer = adaptation.lora(nn.Linear(4, 3, dtype=torch.float64), rank=2, alpha=1)
    assert layer(torch.randn(5, 4, dtype=torch.float64)).dtype == torch.float64


def test_fine_tuning_learns_and_leaves_the_encoder_that_it_was_given(digits):
    torch.manual_seed(0)
    encoder = encoders.ConvNet(1)
    before = encoder.layers[0].weight.clone()
    model = adaptation.fine_tune(encoder, nn.Linear(192, 10), digits.train, CROPS, RATES, steps=150)
    assert adaptation.accuracy(model, digits.test.x, digits.test.y) > 0.75
    assert torch.equal(encoder.layers[0].weight, before) and not torch.equal(model[0].layers[0].weight, before)
    assert adaptation.learned(model) == adaptation.learned(encoder) + 1930


def test_with_rate_0_the_encoder_stays_as_it_is_averages_included(digits):
    torch.manual_seed(0)
    encoder, head = encoders.calibrate(encoders.ConvNet(1), digits.unlabeled()), nn.Linear(192, 10)
    model = adaptation.fine_tune(encoder, head, digits.train, CROPS, (0, 0.1), steps=5)
    kept = model[0].state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in encoder.state_dict().items())
    assert not torch.equal(model[1].weight, head.weight) and adaptation.learned(model) == 1930


def test_a_step_by_hand_is_the_step_of_autograd(digits):
    torch.manual_seed(0)
    encoder, head = encoders.ConvNet(1), nn.Linear(192, 10)
    x, y = measures.to_float(digits.train.x[:32]), digits.train.y[:32]
    loss = nn.functional.cross_entropy(head(encoder(x)), y)
    right = torch.autograd.grad(loss, [*encoder.parameters(), *head.parameters()])
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.0)
    adaptation.fine_tune_step(encoder, head, x, y, optimizer)
    found = [p.grad for p in (*encoder.parameters(), *head.parameters())]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, right, strict=True))


def test_whitened_features_vary_alike_in_all_directions_but_the_weakest():
    symbols = data.load("symbols")
    torch.manual_seed(0)
    encoder = encoders.calibrate(encoders.FineConvNet(1), symbols.unlabeled(), augment.symbols())
    x = augment.symbols()(measures.to_float(symbols.train.x))
    h, white = measures.embed(encoder, x), measures.embed(adaptation.whitened(encoder, symbols, seed=0), x)
    assert white.norm(dim=1).mean() == pytest.approx(1, abs=0.1) and white.mean(dim=0).abs().max() < 0.05
    assert measures.effective_rank(white) > 1.5 * measures.effective_rank(h)


def test_a_question_shows_the_nearest_pictures_and_the_right_one_with_its_place(shown):
    known, names = torch.rand(8, 1, 32, 32), [f"symbol {row}" for row in range(8)]

    def draw(encoder, drawing, question):
        cosines = torch.linspace(0.9, 0.2, 8)
        return adaptation_figures.recognised(known[question], known, names, cosines, question)

    near, far = draw("SimCLR", "same", 1), draw("SimCLR", "same", 7)
    assert "place 2" in near.axes[2].get_xlabel() and not near.axes[6].axison
    assert far.axes[6].get_xlabel() == "right, place 8" and "not known" in far.alt
    assert "symbol 0 (0.90)" in far.alt
    adaptation_figures.question_sliders(draw, ["SimCLR", "random init"], ["same", "other"], 8)
    box, first = shown
    encoder, drawing, question = box.children
    assert (encoder.value, drawing.options, question.max) == ("SimCLR", ("same", "other"), 7)
    question.value = 3
    assert first.data != shown[-1].data


def test_a_race_has_a_panel_for_each_question_and_a_line_for_each_start():
    lines = {"pretrained": {0: 0.5, 100: 0.8}, "random": {0: 0.1, 100: 0.2, 800: 0.8}, "frozen": {300: 0.7}}
    left, right = adaptation_figures.race({"same drawing": lines, "other drawing": lines}, chance=0.003).axes
    assert [line.get_xdata().tolist() for line in left.lines] == [[0, 100], [0, 100, 800], [300]]
    assert (left.get_ylabel(), right.get_xlabel()) == ("accuracy on test", "steps of training")
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(lines)
