"""The ledger: measured results, written by `sslcourse measure`, read by lessons, shown beside a run's own numbers.

A results file holds {"lesson", "measured", "device", "cores", "versions", "seeds", "seconds", "entries"}; an entry
holds {"mean", "std", "n", "values", "unit", "digits"}. std is the sample standard deviation (n - 1), 0 where n is 1.
"""

import datetime
import html
import json
import math
import os
import platform
import statistics
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sslcourse import course, paths
from sslcourse.errors import CourseError
from sslcourse.files import write_atomic

SEED, RECORD = "SSLCOURSE_SEED", "SSLCOURSE_RECORD"
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn")


def to_json(content: dict) -> str:
    """JSON as the ledger writes it: keys in the order in which they were recorded; nan and inf refused."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def path_of(name: str, profile: str = "cpu") -> Path:
    """Where a lesson's ledger of a profile lies; "bench" is the benchmarks'."""
    if name == "bench":
        return paths.COURSE / ("bench.gpu.results.json" if profile == "gpu" else "bench.results.json")
    return course.lesson(name).ledger(profile)


def results(path: Path) -> dict | None:
    """A results file, or None where nothing was measured yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise CourseError(f"{path} is not valid JSON ({error}): measure the lesson again.") from None


def summary(values: list[float]) -> dict:
    """{"mean", "std", "values"} of one quantity over the seeds."""
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "std": std, "values": list(values)}


def default_digits(unit: str) -> int:
    """Digits after the point: two for scores and factors, none for times, rates and counts."""
    return 2 if unit in ("", "accuracy", "x") else 0


def entry(values: list[float], unit: str = "", digits: int | None = None) -> dict:
    """An entry of the ledger from the values of all seeds."""
    digits = default_digits(unit) if digits is None else digits
    return {**summary(values), "n": len(values), "unit": unit, "digits": digits}


def this_machine(device: str | None = None) -> dict:
    """When, on what and with which versions: what a measured number needs beside it. Imports torch.

    device: the name of the one that was used, where it was not the best there is.
    """
    from sslcourse import devices

    versions = {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}
    return {
        "measured": datetime.date.today().isoformat(),
        "device": devices.full_name(devices.best_device(device)),
        "cores": devices.cores(),
        "versions": versions,
    }


def write_entries(
    path: Path,
    entries: dict[str, list[float]],
    meta: dict,
    units: dict[str, str] | None = None,
    digits: dict[str, int] | None = None,
    device: str | None = None,
) -> dict:
    """Write a results file: values by key, units and digits by key; meta holds at least "lesson".

    meta may hold "seeds" (list) and "seconds" (list of wall times); device is as in `this_machine`.
    Returns what was written.
    """
    units, digits = units or {}, digits or {}
    content = {"lesson": meta["lesson"], **this_machine(device), **meta}
    if isinstance(content.get("seconds"), list):
        content["seconds"] = summary(content["seconds"])
    content["entries"] = {
        key: entry([float(value) for value in values], units.get(key, ""), digits.get(key))
        for key, values in entries.items()
    }
    write_atomic(Path(path), to_json(content))
    return content


def render(item: dict) -> str:
    """An entry as text: "0.80 ± 0.01", or "0.80" when it was measured once, or "200" for a count that no seed moves."""
    mean = f"{item['mean']:.{item['digits']}f}"
    fixed = item["n"] == 1 or (item["std"] == 0 and item["digits"] == 0)
    return mean if fixed else f"{mean} ± {item['std']:.{item['digits']}f}"


def with_unit(text: str, unit: str) -> str:
    """Units of measurement are shown in tables; accuracies and plain numbers go without."""
    return text if unit in ("", "accuracy") else f"{text} {unit}"


@dataclass
class Table:
    """Rows of text, the first one the heading; shows itself in a notebook, as Markdown and as plain text."""

    rows: list[list[str]]
    caption: str = ""

    def _repr_markdown_(self) -> str:
        head, *body = ["| " + " | ".join(row) + " |" for row in self.rows]
        lines = [head, "|" + "---|" * len(self.rows[0]), *body]
        return "\n".join(lines + (["", self.caption] if self.caption else []))

    def _repr_html_(self) -> str:
        rows = [[html.escape(cell) for cell in row] for row in self.rows]
        head = "".join(f"<th>{cell}</th>" for cell in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[1:])
        return f"<table><caption>{html.escape(self.caption)}</caption><tr>{head}</tr>{body}</table>"

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in self.rows]
        return "\n".join(lines + ([self.caption] if self.caption else []))

    __repr__ = __str__


def grid(prefix: str, cells: dict[str, str]) -> list[list[str]]:
    """Rows from keys below a prefix: the key's last part is the column, what stands before it the row.

    Columns stand in the order of the fullest row, then of the others.
    """
    rows: dict[str, dict[str, str]] = {}
    for key, text in cells.items():
        row, _, column = key.removeprefix(prefix).rpartition("/")
        rows.setdefault(row or column, {})[column if row else "value"] = text
    columns = list(dict.fromkeys(column for row in sorted(rows.values(), key=len, reverse=True) for column in row))
    return [["", *columns], *[[name, *[row.get(column, "") for column in columns]] for name, row in rows.items()]]


def measured_table(prefix: str, content: dict) -> Table | None:
    """The ledger's entries below a prefix, or None where there are none."""
    entries = content["entries"]
    cells = {key: with_unit(render(entries[key]), entries[key]["unit"]) for key in entries if key.startswith(prefix)}
    return Table(grid(prefix, cells), provenance(content)) if cells else None


def usual_seconds(content: dict) -> float:
    """Seconds that a run takes: the median, for a machine may be busy with something else during one of them."""
    return statistics.median(content["seconds"]["values"])


def provenance(content: dict) -> str:
    """One line that says how the numbers of a results file came about."""
    seeds = len(content.get("seeds", [])) or max(item["n"] for item in content["entries"].values())
    spread = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "Measured once"
    seconds = f", {usual_seconds(content):.0f} s a run" if "seconds" in content else ""
    cores = f"{content['cores']} core" + ("s" if content["cores"] > 1 else "")
    return f"{spread}{seconds}, on {content['device']} ({cores}), {content['measured']}."


class Log:
    """A lesson's view of the ledger: this run's values beside what was measured over several seeds."""

    def __init__(self, name: str):
        from sslcourse import devices

        self.measured = results(path_of(name, devices.profile())) or results(path_of(name))
        self.run: dict[str, dict] = {}

    @property
    def seed(self) -> int:
        """The seed of this run: 0, or what `sslcourse measure` sets."""
        return int(os.environ.get(SEED, "0"))

    def record(self, key: str, value: float, unit: str = "", digits: int | None = None) -> float:
        """Note one of this run's values under "group/row/column"; returns it. nan and inf are refused."""
        number = float(value)
        if not math.isfinite(number):
            raise CourseError(f"{key} is {number}: the ledger takes finite numbers only.")
        self.run[key] = {"value": number, "unit": unit, "digits": digits}
        if os.environ.get(RECORD):
            write_atomic(Path(os.environ[RECORD]), to_json(self.run))
        return number

    def table(self, prefix: str) -> Table:
        """This run's values below a prefix, each with the ledger's mean ± std in brackets."""
        entries = self.measured["entries"] if self.measured else {}
        cells = {key: self._cell(key, entries) for key in [*self.run, *entries] if key.startswith(prefix)}
        if not cells:
            raise CourseError(f"Nothing was recorded or measured below {prefix!r}.")
        note = (
            f"(In brackets: {provenance(self.measured)})" if self.measured else "Not in the ledger yet: this run alone."
        )
        return Table(grid(prefix, cells), note)

    def spread(self, prefix: str) -> dict[str, dict[str, tuple[float, float]]]:
        """Mean and std over the ledger's seeds of what was measured below a prefix: {row: {column: (mean, std)}}."""
        rows: dict[str, dict] = {}
        for key, item in (self.measured["entries"] if self.measured else {}).items():
            if key.startswith(prefix):
                row, _, column = key.removeprefix(prefix).rpartition("/")
                rows.setdefault(row, {})[column] = (item["mean"], item["std"])
        return rows

    def _cell(self, key: str, entries: dict) -> str:
        own = self.run.get(key)
        text = "–"
        if own:
            digits = default_digits(own["unit"]) if own["digits"] is None else own["digits"]
            text = with_unit(f"{own['value']:.{digits}f}", own["unit"])
        return f"{text} ({render(entries[key])})" if key in entries else text


def of_lesson(name: str) -> Log:
    """The ledger of a lesson ("4.2"), whether or not it was measured already."""
    return Log(name)
