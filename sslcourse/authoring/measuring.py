"""`sslcourse measure`: run a lesson as it stands, once a seed, and write what it recorded into its ledger."""

import json
import tempfile
from pathlib import Path

from sslcourse import ledger
from sslcourse.authoring.builder import execute
from sslcourse.authoring.source import solved
from sslcourse.course import Lesson
from sslcourse.errors import BuildError


def measure(lesson: Lesson, seeds: int = 3) -> dict:
    """Write the lesson's results file from at least three runs; returns its content. The lesson is the experiment.

    Raises BuildError where a run fails or records other keys than the one before; the old file then stays.
    """
    if seeds < 3:
        raise BuildError(f"{seeds} seeds are too few to tell a spread; take at least 3.")
    runs = []
    for seed in range(seeds):
        runs.append(run(lesson, seed))
        print(f"{lesson.id}, seed {seed}: {runs[-1][1]:.0f} s, {len(runs[-1][0])} numbers", flush=True)
    first = runs[0][0]
    if any(recorded.keys() != first.keys() for recorded, _ in runs):
        raise BuildError(f"{lesson.id} records other keys with other seeds; they must be the same in each run.")
    return ledger.write_entries(
        lesson.results,
        {key: [recorded[key]["value"] for recorded, _ in runs] for key in first},
        {"lesson": lesson.id, "seeds": list(range(seeds)), "seconds": [seconds for _, seconds in runs]},
        units={key: item["unit"] for key, item in first.items()},
        digits={key: item["digits"] for key, item in first.items()},
    )


def run(lesson: Lesson, seed: int) -> tuple[dict, float]:
    """What one run of the solved lesson recorded, and its seconds."""
    notebook = solved(lesson, unmeasured=True)
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.json")
        try:
            seconds = execute(notebook, env={ledger.SEED: str(seed), ledger.RECORD: str(record)})
        except BuildError as error:
            raise BuildError(f"{lesson.source.name}, seed {seed}: {error}") from None
        recorded = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    return recorded, seconds
