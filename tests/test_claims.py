"""Claims: what is written about the ledger's numbers holds in them, seed by seed, and leaves no trace in the text."""

import json
import re

import nbformat
import pytest

from sslcourse import cells, cli, course, ledger, paths
from sslcourse.authoring import builder, claims, source, text, typed_numbers
from sslcourse.errors import BuildError
from tests.tiny import edit

ENTRIES = {
    "score/us/all": [0.5, 0.6, 0.7],
    "score/better, by hand/5": [0.61, 0.70, 0.79],  # ahead of us in each seed by 0.11, 0.10, 0.09
    "score/them: a-b/all": [0.51, 0.59, 0.71],  # level with us: 0.01, -0.01, 0.01
    "five/low": [0.0, 0.0, 0.0, 0.0, 0.0],
    "five/one off": [0.5, 0.6, 0.5, 0.6, -0.01],
    "five/two off": [0.9, 0.9, 0.9, -0.01, -0.01],
    "five/wide": [0.1, 0.1, 0.1, 0.1, 3.0],
    "two": [0.1, 0.2],
    "seconds": [10.0, 12.0, 14.0],
    "count": [4.0, 5.0, 6.0],
}
UNITS, DIGITS = {"seconds": "s"}, {"score/them: a-b/all": 3, "seconds": 1}


@pytest.fixture
def lesson(tiny):
    """The tiny lesson with numbers to compare in its ledger."""
    measure(tiny)
    return tiny


def measure(lesson, profile: str = "cpu", **changed) -> None:
    """Write a profile's ledger with the entries above, save for those that are changed."""
    ledger.write_entries(lesson.ledger(profile), ENTRIES | changed, {"lesson": "1.1", "cores": 2}, UNITS, DIGITS)


def broken(statement: str, lesson, unmeasured: bool = False) -> list[str]:
    return claims.broken(f"{{{{ claim: {statement} }}}}", lesson, unmeasured)


@pytest.mark.parametrize(
    "statement",
    [
        "score/better, by hand/5 > score/us/all", "score/us/all < score/better, by hand/5",
        "score/better, by hand/5 > score/us/all by 0.08", "score/us/all < score/better, by hand/5 by 0.08",
        "score/us/all ~ score/them: a-b/all within 0.02", "score/them: a-b/all ~ score/us/all within 0.02",
        "score/us/all > 0.25", "score/us/all > -1 by 1", "score/us/all < 1 by 0.25", "score/us/all ~ 0.61 within 0.2",
        "five/one off > five/low", "five/low < five/one off", "score/us/all > 0.25; score/us/all < 1",
    ],
)  # fmt: skip
def test_a_claim_holds(lesson, statement):
    assert broken(statement, lesson) == []


@pytest.mark.parametrize(
    ("statement", "numbers"),
    [
        ("score/us/all > score/better, by hand/5", "-0.1 with a standard error of 0.0058, and the difference is above"),
        ("score/better, by hand/5 < score/us/all", "+0.1 with a standard error of 0.0058, and the difference is below"),
        ("score/better, by hand/5 > score/us/all by 0.1", "and the difference is above 0.1 in 1 of 3 seeds"),
        ("score/us/all < score/better, by hand/5 by 0.1", "and the difference is below -0.1 in 1 of 3 seeds"),
        ("score/us/all ~ score/them: a-b/all within 0.015", "-0.003333 with a standard error of 0.0067"),
        ("score/us/all ~ score/better, by hand/5 within 0.1", "within 0.1 in 2 of 3 seeds"),
        ("score/us/all > 0.5", "+0.1 with a standard error of 0.058, and the difference is above 0 in 2 of 3 seeds"),
        ("score/us/all < 0.5", "below 0 in 0 of 3"), ("score/us/all ~ 0.5 within 0.2", "within 0.2 in 3 of 3 seeds"),
        ("five/two off > five/low", "above 0 in 3 of 5 seeds"),
        ("five/wide > five/low", "above 0 in 5 of 5 seeds"),
    ],
)  # fmt: skip
def test_a_claim_fails_with_its_numbers(lesson, statement, numbers):
    (sentence,) = broken(statement, lesson)
    assert sentence.startswith(f"in the cpu ledger the claim {statement!r} fails: the mean difference is ")
    assert numbers in sentence and sentence.endswith(" seeds.")


def test_one_seed_in_five_may_differ_but_not_two(lesson):
    """The mean is clear in all three: the number of seeds decides."""
    low = [0.0] * 10
    for exceptions, seeds, holds in [(1, 4, False), (1, 5, True), (2, 9, False), (2, 10, True)]:
        values = [1.0] * (seeds - exceptions) + [-1e-6] * exceptions
        measure(lesson, high=values, low=low[:seeds])
        assert (broken("high > low", lesson) == []) is holds, (exceptions, seeds)
        assert (broken("low < high", lesson) == []) is holds, (exceptions, seeds)


def test_all_claims_of_a_pair_of_braces_are_judged(lesson):
    first, second = broken("score/us/all > 0.9; score/us/all > 0.25; score/us/all < 0.1", lesson)
    assert "'score/us/all > 0.9'" in first and "'score/us/all < 0.1'" in second


def test_the_gpu_ledger_is_held_against_a_claim_where_there_is_one(lesson):
    claim = "score/better, by hand/5 > score/us/all"
    assert broken(claim, lesson) == []
    measure(lesson, "gpu", **{"score/us/all": [0.9, 0.9, 0.9]})
    (sentence,) = broken(claim, lesson)
    assert "in the gpu ledger the claim" in sentence and "0 of 3 seeds" in sentence
    assert claims.broken(f"{{{{ claim cpu: {claim} }}}}", lesson, False) == []
    (sentence,) = claims.broken(f"{{{{ claim gpu: {claim} }}}}", lesson, False)
    assert "in the gpu ledger the claim" in sentence
    assert claims.broken("{{ claim gpu: score/us/all > 0.8 }}", lesson, False) == []
    lesson.ledger("gpu").unlink()
    (sentence,) = claims.broken("{{ claim gpu: score/us/all > 0.8 }}", lesson, False)
    assert "in the gpu ledger" in sentence and "has no 'score/us/all'" in sentence


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("score/us/all > score/nobody/all", "has no 'score/nobody/all'"),
        ("score/nobody/all < 0.5", "has no 'score/nobody/all'"),
        ("0.5 < score/us/all", "has no '0.5'"),
        ("two > 0", "'two' has 2 seeds; a comparison needs at least 3"),
        ("score/us/all > two", "'two' has 2 seeds"),
        ("five/low < score/us/all", "'five/low' has 5 seeds and 'score/us/all' has 3"),
    ],
)
def test_a_claim_needs_keys_with_enough_seeds(lesson, statement, sentence):
    with pytest.raises(BuildError, match=re.escape(sentence)):
        text.render(f"{{{{ claim: {statement} }}}}", lesson)


@pytest.mark.parametrize(
    "written",
    [
        "claim: a", "claim: a >", "claim: a>b", "claim: a = b", "claim: a ~ b", "claim: a ~ b by 0.1",
        "claim: a > 0;", "claim: ", "claim tpu: a > 0",
    ],
)  # fmt: skip
def test_what_does_not_read_as_a_claim_is_refused(lesson, written):
    with pytest.raises(BuildError, match="must read A > B|profile is 'tpu'; it must be cpu or gpu"):
        text.render(f"{{{{ {written} }}}}", lesson)


def test_claims_and_differences_wait_for_a_lesson_that_is_not_measured(tiny):
    new = "Ahead by {{ difference: new/a - new/b }}. {{ claim: new/a > new/b; new/a > 0.1 }}"
    assert text.render(new, tiny, unmeasured=True) == "Ahead by –."
    with pytest.raises(BuildError, match="has no 'new/a'"):
        text.render(new, tiny)
    with pytest.raises(BuildError, match="has no 'new/a'"):
        text.render(new.partition(" {{ claim")[0], tiny)
    tiny.results.unlink()
    assert text.render(new, tiny, unmeasured=True) == "Ahead by –."
    with pytest.raises(BuildError, match="has no 'new/a'"):
        text.render(new, tiny)


ONE = "{{ claim: score/us/all > 0.25 }}"


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (f"We win.\n{ONE}", "We win."), (f"We win.\n\n{ONE}\n", "We win."),
        (f"We win.\n{ONE}\n{ONE}\n\nNext.", "We win.\n\nNext."),
        (f"We win.\n\n{ONE}\n\n{ONE}\n\nNext.", "We win.\n\nNext."),
        (f"We win. {ONE}\n\n{ONE} Next.", "We win.\n\nNext."),
        (f"We win {ONE} today.", "We win today."), (f"We win {ONE}{ONE}.", "We win."),
        (f"{ONE}\nWe win.", "We win."), (f"{ONE} We win.", "We win."), (f"{ONE}", ""),
        (f"- We\n  win {ONE}\n  today.\n- Next.", "- We\n  win\n  today.\n- Next."),
        (f"- We win.\n  {ONE}\n- Next.", "- We win.\n- Next."),
        (f"<details>We win.\n{ONE}</details>", "<details>We win.\n</details>"),
        ("We win.\n{{ claim: score/us/all >\n0.25;\n  score/us/all\n  < 1 }}\nToday.", "We win.\nToday."),
    ],
)  # fmt: skip
def test_nothing_is_left_of_a_claim(lesson, written, left):
    assert text.render(written, lesson) == left


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("difference: score/better, by hand/5 - score/us/all", "+0.10 ± 0.01"),
        ("difference: score/us/all - score/better, by hand/5", "-0.10 ± 0.01"),
        ("difference: score/them: a-b/all - score/us/all", "+0.003 ± 0.007"),
        ("difference: seconds - count", "+7.00 ± 0.58 s"),
        ("difference: score/better, by hand/5\n - score/us/all", "+0.10 ± 0.01"),
    ],
)
def test_a_difference_is_shown_with_its_standard_error(lesson, written, shown):
    assert text.render(f"By {{{{ {written} }}}}.", lesson) == f"By {shown}."


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("score/us/all - nobody", "has no 'nobody'"), ("score/us/all - 0.5", "must read A - B"),
        ("score/us/all-count", "must read A - B"), ("score/us/all - two", "'two' has 2 seeds"),
    ],
)  # fmt: skip
def test_a_difference_needs_two_keys(lesson, written, sentence):
    with pytest.raises(BuildError, match=re.escape(sentence)):
        text.render(f"{{{{ difference: {written} }}}}", lesson)


def test_a_claim_on_a_page_is_held_against_the_lesson_that_it_names(tiny):
    page = paths.ROOT / "README.md"
    page.write_text("# Tiny\n\nWe win.\n<!-- claim: 1.1 score/us/all > 0.25;\nscore/us/all < 0.9 -->\n")
    assert text.page(page)[1] == page.read_text()
    page.write_text("<!-- claim: 1.1 score/us/all > 0.9 -->")
    with pytest.raises(BuildError, match="README.md: in the cpu ledger the claim 'score/us/all > 0.9' fails"):
        text.page(page)


def test_a_number_on_a_page_is_the_lesson_s(tiny):
    page = paths.COURSE / "instructor_guide.md"
    page.write_text("They reach <!-- number:1.1 score/us/all -->0.99<!-- end -->, no more.\n")
    assert text.page(page)[1] == "They reach <!-- number:1.1 score/us/all -->0.60 ± 0.10<!-- end -->, no more.\n"
    assert builder.stale() and "instructor_guide.md" in builder.stale()[-1]
    page.write_text("They reach <!-- number:1.1 score/them/all --><!-- end -->.")
    with pytest.raises(BuildError, match="instructor_guide.md: the ledger has no 'score/them/all'"):
        text.page(page)


def test_what_a_week_reads_is_linked_and_must_be_known(tiny):
    assert text.reading("[@smith2020], section 3") == "[Smith et al., 2020](https://example.org/t), section 3"
    with pytest.raises(BuildError, match="references.bib has no 'smith2021'"):
        text.reading("[@smith2021]")


def test_numbers_in_claims_count_as_typed_by_nobody(tiny):
    assert typed_numbers.found("Ahead.\n{{ claim: a > 0.25;\nb < 3 by 0.1 }}\n{{ claim cpu: a ~ 5 within 0.02 }}") == []


def test_a_claim_that_breaks_stops_the_build_with_its_numbers(built, monkeypatch, capsys):
    def run(*arguments) -> int:
        monkeypatch.setattr("sys.argv", ["sslcourse", *arguments])
        return cli.main()

    edit(built, "[@smith2020].", "[@smith2020].\n# {{ claim: score/us/all > 0.25;\n# score/us/all < 0.95 }}")
    edit(built, "# ### Add", "# ### Add\n# {{ claim: score/us/all ~ 0.6 within 0.2 }}")
    assert run("build", "--check") == 0, "claims change nothing in the notebook"
    assert run("build") == 0 and "claim" not in built.notebook.read_text()
    before = built.notebook.read_bytes()
    content = json.loads(built.results.read_text())
    content["entries"]["score/us/all"]["values"][2] = 0.2
    built.results.write_text(json.dumps(content))
    capsys.readouterr()
    assert run("build", "--check") == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "1_tiny.py, cell title: in the cpu ledger the claim 'score/us/all > 0.25' fails: the mean difference is "
        "+0.1833 with a standard error of 0.12, and the difference is above 0 in 2 of 3 seeds."
    )
    assert second.startswith("1_tiny.py, cell exercise-text: in the cpu ledger the claim 'score/us/all ~ 0.6 within")
    for options in ([], ["--no-execute"], ["1.1"]):
        assert run("build", *options) == 2
        assert capsys.readouterr().err == f"sslcourse: {first}\n{second}\n"
    assert built.notebook.read_bytes() == before


def test_a_lesson_with_a_broken_claim_does_not_hide_the_others(built, monkeypatch):
    """The same lesson twice: once with a claim that fails, and once with a notebook that is stale."""
    edit(built, "# ### Add", "# ### Add them")
    (stale,) = builder.stale([built])
    solved = [BuildError("one claim fails.\nanother claim fails."), source.solved(built)]

    def next_solved(_lesson):
        result = solved.pop(0)
        if isinstance(result, BuildError):
            raise result
        return result

    monkeypatch.setattr(builder, "solved", next_solved)
    assert builder.stale([built, built]) == ["one claim fails.", "another claim fails.", stale]


CLAIMED = "\n{{ claim: a/x > a/y }}"


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("We are ahead: {{ a/x }}.", ["We are ahead: {{ a/x }}."]),
        ("We are ahead: {{ a/x }}." + CLAIMED, []),
        ("We are ahead: {{ a/y }}." + CLAIMED, []),
        ("We are ahead: {{ b/x }} and {{ a/x }}." + CLAIMED, []),
        ("We are ahead: {{ b/x }}." + CLAIMED, ["We are ahead: {{ b/x }}."]),
        ("We are ahead: {{ difference: b/x - a/y }}." + CLAIMED, []),
        ("It pays: {{ difference: b/x - b/y }}." + CLAIMED, ["It pays: {{ difference: b/x - b/y }}."]),
        ("BETTER is {{ a/x }}.", ["BETTER is {{ a/x }}."]),
        ("It is as\ngood as\n{{ a/x\n}}.", ["It is as good as {{ a/x }}."]),
        ("It reaches {{ a/x }}. That is better. Nothing is lost!", []),
        ("Is it better? It reaches {{ a/x }}.", []),
        ("It reaches {{ is it better? No. }}, and that is all.", []),
        ("It is (much. Better.) It reaches {{ a/x }}.", []),
        ("It reaches {{ a/x 0.5. Nothing/y }}, the best.", ["It reaches {{ a/x 0.5. Nothing/y }}, the best."]),
        ("It is better\n\nIt reaches {{ a/x }}.", []),
        ("- It is better\n- It reaches {{ a/x }}", []),
        ("- It is better:\n  {{ a/x }}\n- {{ a/y }}", ["- It is better: {{ a/x }}"]),
        ("1. It is better\n2. It reaches {{ a/x }}", []),
        ("### Which is better\nIt reaches {{ a/x }}.", []),
        ("### The best has {{ a/x }}\nIt does.", ["### The best has {{ a/x }}"]),
        ("| way | best |\n|---|---|\n| us | {{ a/x }} |", []),
        ("| way | it |\n|---|---|\n| best | {{ a/x }} |", ["| best | {{ a/x }} |"]),
        ("<details><summary>Better?</summary>It has {{ a/x }}.</details>", []),
        ("<details>It is worse, {{ a/x }}.</details>", ["It is worse, {{ a/x }}."]),
        ("It is better: {{ table: a/ }} in {{ course: minutes }}.", []),
        ("It is bettered, but sameness is {{ a/x }}.", []),
    ],
)
def test_sentences_that_compare_without_a_claim_are_found(markdown, found):
    assert [sentence.rstrip(".") for sentence in claims.unclaimed(markdown)] == [s.rstrip(".") for s in found]


def test_each_comparing_word_is_known():
    for word in claims.COMPARING:
        assert claims.unclaimed(f"It is {word} with {{{{ a/x }}}}."), word


@pytest.mark.parametrize("lesson", [pytest.param(lesson, id=lesson.file) for lesson in course.lessons()])
def test_each_sentence_of_a_lesson_that_compares_has_a_claim(lesson):
    texts = {cell.id: cell.source for cell in cells.read_source(lesson.source).cells if cell.cell_type == "markdown"}
    found = [f"{name}: {sentence}" for name, source in texts.items() for sentence in claims.unclaimed(source)]
    assert not found, "\n".join(found)


def test_no_notebook_shows_a_claim():
    for lesson in course.lessons():
        for cell in nbformat.read(lesson.notebook, as_version=4).cells:
            assert "{{" not in cell.source or cell.cell_type == "code", f"{lesson.id}, cell {cell.id}"
