"""Building, on a course of one tiny lesson: numbers, stale notebooks, solutions, ids, bytes, the ledger."""

import json
import re

import nbformat
import pytest

from sslcourse import cli, course, paths
from sslcourse.authoring import builder, measuring, source, typed_numbers
from sslcourse.errors import BuildError
from tests.tiny import BIB, README, command, edit


def read(lesson):
    return nbformat.read(lesson.notebook, as_version=4)


def test_a_lesson_is_built_measured_and_built_again_with_real_kernels(tiny, tmp_path):
    run = command(tmp_path)
    content = measuring.measure(tiny, seeds=3, command=run)
    assert content["entries"]["score/us/all"]["values"] == pytest.approx([0.5, 0.6, 0.7])
    assert content["seeds"] == [0, 1, 2] and content["seconds"]["mean"] > 0 and content["versions"]["torch"]
    builder.build(tiny)
    notebook = read(tiny)
    (check,) = [cell for cell in notebook.cells if cell.id == "add-check"]
    assert check.outputs[0].text == "✗ open\n", "what the check says of a blank answer"
    (picture,) = [cell for cell in notebook.cells if cell.id == "picture"]
    assert picture.outputs[0].text == "1 + 2 = 3\n", "the solved lesson was run"
    assert all(out.get("name") != "stderr" for cell in notebook.cells for out in cell.get("outputs", []))
    edit(tiny, 'log.record("score/us/all"', "log.record(f'score/us/{log.seed}'")
    before = tiny.results.read_bytes()
    with pytest.raises(BuildError, match="records other keys with other seeds"):
        measuring.measure(tiny, seeds=3, command=run)
    assert tiny.results.read_bytes() == before, "a failed measurement leaves the old ledger"
    with pytest.raises(BuildError, match="take at least 3"):
        measuring.measure(tiny, seeds=2, command=run)


def test_what_stands_in_the_notebook(built):
    notebook = read(built)
    assert [cell.id for cell in notebook.cells] == ["title", "setup", "exercise-text", "add", "add-check", "picture"]
    title, setup, exercise_text, add, check, picture = notebook.cells
    assert "It scores 0.60 ± 0.10, after ([Smith et al., 2020](https://example.org/t))." in title.source
    assert "- add two numbers" in title.source and "| `add` | ★★ | 1 | 3 |" in exercise_text.source
    assert add.metadata.nbgrader.solution and add.metadata.nbgrader.grade_id == "add" and add.outputs == []
    assert check.metadata.nbgrader.points == 3 and check.metadata.nbgrader.locked
    assert check.metadata.tags == ["nbval-check-output"] and add.metadata.tags == ["raises-exception"]
    assert setup.metadata.tags == ["setup"] and picture.metadata.tags == ["hide-input"]
    slides = [cell.metadata.slideshow.slide_type for cell in notebook.cells]
    assert slides == ["slide", "-", "subslide", "-", "-", "-"]
    assert [out.text for out in check.outputs] == ["✗ open\n"], "neither progress nor widgets are kept"
    assert notebook.metadata.sslcourse.lesson == "1.1" and "widgets" not in notebook.metadata
    assert all("execution" not in cell.metadata for cell in notebook.cells)
    compile(add.source, "add", "exec")


def test_solutions_never_appear(built):
    content = built.notebook.read_text()
    assert "the_secret_sum" not in content and "SOLUTION" not in content and "NotImplementedError" in content


def test_no_solution_of_the_course_is_in_its_notebooks():
    for lesson in course.lessons():
        notebook = lesson.notebook.read_text(encoding="utf-8")
        solutions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", lesson.source.read_text(), re.DOTALL)
        assert len(solutions) >= len(lesson.exercises)  # an answer may have two parts, as in a class
        for line in "\n".join(solutions).splitlines():
            if len(line.strip()) > 25:
                assert json.dumps(line.strip())[1:-1] not in notebook, f"{lesson.id} gives away {line.strip()!r}"


def test_building_twice_gives_the_same_bytes(built):
    first = built.notebook.read_bytes()
    builder.build(built)
    assert built.notebook.read_bytes() == first
    builder.build(built, run=False)
    assert built.notebook.read_bytes() == first


def test_a_fresh_build_is_not_stale(built):
    assert builder.stale() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# ### Add", "# ### Add them"),
        ("    the_secret_sum = a + b", "    '''A hint.'''\n    the_secret_sum = a + b"),
        ('tags=["hide-input"]', 'slide="skip"'),
        ("# %% picture", "# %% image"),
    ],
)
def test_a_changed_source_makes_the_notebook_stale(built, old, new):
    edit(built, old, new)
    changed = builder.stale()
    solution_only = "A hint" in new
    assert (changed == []) if solution_only else (len(changed) == 1 and "run `sslcourse build 1.1`" in changed[0])


def test_what_is_edited_by_hand_in_notebooks_is_found(built):
    notebook = read(built)

    def changed(change) -> str:
        copy = nbformat.from_dict(notebook)
        change(copy)
        nbformat.write(copy, built.notebook)
        (sentence,) = builder.stale()
        return sentence

    assert "other cells" in changed(lambda nb: nb.cells.pop())
    assert "cell setup, is not what" in changed(lambda nb: nb.cells[1].update(source="x = 1"))
    assert "lost its output" in changed(lambda nb: nb.cells[4].update(outputs=[]))
    error = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    assert "shows an error" in changed(lambda nb: nb.cells[5].update(outputs=[error]))
    assert "other metadata" in changed(lambda nb: nb.metadata.pop("sslcourse"))
    built.notebook.unlink()
    assert "is missing" in builder.stale()[0]


def test_a_notebook_of_no_lesson_and_a_stale_readme_are_found(built):
    nbformat.write(read(built), paths.NOTEBOOKS / "draft.ipynb")
    assert builder.stale() == ["notebooks/draft.ipynb belongs to no lesson."]
    (paths.NOTEBOOKS / "draft.ipynb").unlink()
    readme = paths.ROOT / "README.md"
    assert (
        "| us | 0.60 ± 0.10 |" in readme.read_text()
        and "[A tiny lesson](notebooks/1_first/1_tiny.ipynb)" in readme.read_text()
    )
    readme.write_text(readme.read_text().replace("0.60", "0.90"))
    assert len(builder.stale()) == 1 and "README.md" in builder.stale()[0]


@pytest.mark.parametrize(
    "text",
    [
        "It reaches 0.83.", "about 80 % of them", "in 40 s", "5x as fast", "- 3 minutes", "(1.5)", "of -0.83",
        "in 1.1 s", "3× as fast",
    ],
)  # fmt: skip
def test_a_number_typed_by_hand_is_found(tiny, text):
    edit(tiny, "# ### Add", f"# ### Add\n#\n# {text}\n#")
    with pytest.raises(BuildError, match="1_tiny.py, cell exercise-text: .* is typed by hand"):
        source.solved(tiny)
    readme = paths.ROOT / "README.md"
    readme.write_text(README + f"\n{text}\n")
    with pytest.raises(BuildError, match="README.md: .* is typed by hand"):
        builder.stale()


@pytest.mark.parametrize(
    "text",
    [
        "at `temperature=0.2`", "for $\\tau = 0.2$", "Chen reached 76.5 % [@smith2020].", "13 photographs of 2020",
        "```\nx = 0.5\n```", "[a link](https://a.org/0.5)", "see 1.1", '<img width="0.5">', "<code>0.5</code>",
    ],
)  # fmt: skip
def test_numbers_that_nobody_measured_are_let_through(tiny, text):
    assert typed_numbers.found(text) == []


def test_two_paragraphs_are_no_formula(tiny):
    assert typed_numbers.found("It costs $x.\n\nWe measured 0.83.\n\nOr $y.") == ["0.83"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("{{ score/us/all }}", "{{ score/them/all }}", "cell title: the ledger has no 'score/them/all'"),
        ("{{ course: objectives }}", "{{ course: price }}", "cell title: the course has no 'price'"),
        ("[@smith2020]", "[@smith2021]", "references.bib has no 'smith2021'"),
        ("# %% picture tags", "# %% tags", "needs a name of its own"),
        ("# %% picture tags", "# %% setup tags", "needs a name of its own"),
        ('tags=["hide-input"]', 'colour="red"', "cell picture: colour is not a key"),
        ('tags=["hide-input"]', 'slide="big"', "cell picture: slide is 'big'"),
        ('exercise="add"', "setup=true", "course.toml has the exercises"),
    ],
)
def test_a_source_that_breaks_the_rules_gets_one_sentence(tiny, old, new, sentence):
    edit(tiny, old, new)
    with pytest.raises(BuildError, match=re.escape(sentence)):
        source.solved(tiny)


def test_sources_that_would_look_alike_get_letters_in_the_lesson_that_cites_both(tiny):
    twin = BIB.replace("smith2020", "smith2020again").replace("/t}", "/again}")
    (paths.COURSE / "references.bib").write_text(BIB + twin)
    assert "after ([Smith et al., 2020](https://example.org/t))." in source.solved(tiny).cells[0].source
    edit(tiny, "after [@smith2020]", "after [@smith2020again] and [@smith2020]")
    first, second = (
        "([Smith et al., 2020a](https://example.org/again))",
        "([Smith et al., 2020b](https://example.org/t))",
    )
    assert f"after {first} and {second}." in source.solved(tiny).cells[0].source


def test_a_failing_cell_is_named_and_the_old_notebook_stays(tiny):
    tiny.notebook.parent.mkdir()
    tiny.notebook.write_text("old")
    edit(tiny, "import sys", "1 / 0")
    with pytest.raises(BuildError, match="1_tiny.py: cell picture fails: ZeroDivisionError: division by zero"):
        builder.build(tiny)
    assert tiny.notebook.read_text() == "old"


def test_an_author_s_answer_that_its_check_refuses_stops_the_build(tiny):
    edit(tiny, "the_secret_sum = a + b", "the_secret_sum = a - b")
    with pytest.raises(BuildError, match="1_tiny.py: the author's answer is refused in add-check"):
        builder.build(tiny)
    assert not tiny.notebook.exists()


def test_the_command_line_speaks_in_sentences(built, monkeypatch, capsys):
    def run(*arguments) -> int:
        monkeypatch.setattr("sys.argv", ["sslcourse", *arguments])
        return cli.main()

    assert run("build", "--check") == 0
    edit(built, "# ### Add", "# ### Add them")
    assert run("build", "--check") == 1
    assert "is not what its source says" in capsys.readouterr().out
    assert run("build", "1.1", "--no-execute") == 0 and run("build", "--check") == 0
    assert run("measure", "9.9") == 2
    assert capsys.readouterr().err == "sslcourse: There is no lesson '9.9'; the lessons are 1.1.\n"
    assert run("data") == 0
    assert "photos: 32x32 patches" in capsys.readouterr().out
