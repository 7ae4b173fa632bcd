"""The ledger: what is recorded, how it is shown, and that a kill leaves a whole file."""

import json

import pytest

from sslcourse import course, ledger
from sslcourse.errors import CourseError


@pytest.fixture
def log(tmp_path, monkeypatch):
    """An empty ledger of lesson 4.2, away from the real one."""
    monkeypatch.setattr(ledger, "path_of", lambda *_: tmp_path / "results.json")
    monkeypatch.delenv(ledger.SEED, raising=False)
    monkeypatch.delenv(ledger.RECORD, raising=False)
    return ledger.of_lesson("4.2")


def test_seed_is_zero_or_what_measure_sets(log, monkeypatch):
    assert log.seed == 0
    monkeypatch.setenv(ledger.SEED, "7")
    assert log.seed == 7


def test_a_count_that_no_seed_moves_has_no_spread():
    counted = ledger.entry([200, 200, 200], "", 0)
    assert ledger.render(counted) == "200"
    assert ledger.render(ledger.entry([200, 201, 200], "", 0)) == "200 ± 1"
    assert ledger.render(ledger.entry([0.5, 0.5, 0.5])) == "0.50 ± 0.00"


def test_a_run_s_numbers_stand_beside_the_measured_ones(log, tmp_path):
    log.record("photos/SimCLR/10", 0.8149, unit="accuracy")
    log.record("photos/SimCLR/all", 0.9)
    log.record("photos/raw/10", 0.4)
    assert "this run alone" in str(log.table("photos/"))
    entries = {"photos/SimCLR/10": [0.79, 0.80, 0.84], "photos/raw/10": [0.4, 0.4, 0.4], "speed": [5.0]}
    content = ledger.write_entries(
        tmp_path / "results.json",
        entries,
        {"lesson": "4.2", "seeds": [0, 1, 2]},
        units={"photos/SimCLR/10": "accuracy"},
    )
    assert content["entries"]["photos/SimCLR/10"]["std"] == pytest.approx(0.0264575, abs=1e-6)
    again = ledger.of_lesson("4.2")
    again.record("photos/SimCLR/10", 0.8149, unit="accuracy")
    table = again.table("photos/")
    assert table.rows == [["", "10"], ["SimCLR", "0.81 (0.81 ± 0.03)"], ["raw", "– (0.40 ± 0.00)"]]
    assert "3 seeds" in table.caption and "<td>0.81 (0.81 ± 0.03)</td>" in table._repr_html_()
    assert "| SimCLR | 0.81 (0.81 ± 0.03) |" in table._repr_markdown_()
    spread = again.spread("photos/")
    assert spread == {"SimCLR": {"10": pytest.approx((0.81, 0.0264575))}, "raw": {"10": pytest.approx((0.4, 0.0))}}


def test_recorded_values_are_collected(log, tmp_path, monkeypatch):
    monkeypatch.setenv(ledger.RECORD, str(tmp_path / "record.json"))
    assert log.record("a/b", 0.25) == 0.25
    log.record("a/c", 3, unit="s", digits=1)
    assert json.loads((tmp_path / "record.json").read_text()) == {
        "a/b": {"value": 0.25, "unit": "", "digits": None},
        "a/c": {"value": 3.0, "unit": "s", "digits": 1},
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(log, value):
    with pytest.raises(CourseError, match="the ledger takes finite numbers only"):
        log.record("a/b", value)


def test_an_empty_table_gets_one_sentence(log):
    with pytest.raises(CourseError, match="Nothing was recorded or measured below 'nothing/'"):
        log.table("nothing/")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    ledger.write_atomic(path, "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError):
        ledger.write_atomic(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_damaged_ledger_gets_one_sentence(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(CourseError, match="is not valid JSON .* measure the lesson again"):
        ledger.results(tmp_path / "results.json")


def test_every_lesson_with_numbers_was_measured_over_three_seeds_or_more():
    measured = [lesson for lesson in course.lessons() if "log.record" in lesson.source.read_text()]
    assert measured
    for lesson in measured:
        content = ledger.results(lesson.results)
        assert len(content["seeds"]) >= 3 and content["device"] and content["versions"]["torch"]
        for key, entry in content["entries"].items():
            assert entry["n"] == len(content["seeds"]), key
