"""`sslcourse measure`: run a lesson as it stands, once a seed, and write what it recorded into its ledger."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from sslcourse import devices, ledger
from sslcourse.course import Lesson
from sslcourse.errors import BuildError

RUN = (sys.executable, "-m", "sslcourse", "run")


def measure(lesson: Lesson, seeds: int = 3, profile: str = "cpu", jobs: int = 1, command: Sequence[str] = RUN) -> dict:
    """Write the profile's results file from at least three runs; returns its content. The lesson is the experiment.

    jobs: runs side by side, each with its share of the cores. command: what runs a lesson, as `sslcourse run` does.
    Raises BuildError where a run fails or records other keys than the one before; the old file then stays.
    """
    check_options(seeds, profile, jobs)
    cores = max(1, devices.cores() // jobs)
    one = partial(run, lesson, profile=profile, cores=cores, command=command)
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(one, range(seeds)))
    first = runs[0][0]
    if any(recorded.keys() != first.keys() for recorded, _ in runs):
        raise BuildError(f"{lesson.id} records other keys with other seeds; they must be the same in each run.")
    seconds = [seconds for _, seconds in runs]
    return ledger.write_entries(
        lesson.ledger(profile),
        {key: [recorded[key]["value"] for recorded, _ in runs] for key in first},
        {"lesson": lesson.id, "cores": cores, "seeds": list(range(seeds)), "seconds": seconds},
        units={key: item["unit"] for key, item in first.items()},
        digits={key: item["digits"] for key, item in first.items()},
    )


def check_options(seeds: int, profile: str, jobs: int) -> None:
    """Refuse too few seeds, a profile that is not measured, and less than one run at a time."""
    if seeds < 3:
        raise BuildError(f"{seeds} seeds are too few to tell a spread; take at least 3.")
    if profile == "smoke":
        raise BuildError("The profile smoke learns nothing, so there is nothing to measure; take cpu or gpu.")
    if profile not in devices.PROFILES:
        raise BuildError(f"The profile is {profile!r}; it must be cpu or gpu.")
    if jobs < 1:
        raise BuildError(f"jobs is {jobs}; it must be at least 1.")


def run(lesson: Lesson, seed: int, profile: str, cores: int, command: Sequence[str]) -> tuple[dict, float]:
    """What one run of the solved lesson recorded, and its seconds. BuildError, with its last words, where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.json")
        environment = os.environ | {ledger.RECORD: str(record), "OMP_NUM_THREADS": str(cores)}
        begin = time.perf_counter()
        process = subprocess.run(
            [*command, lesson.id, "--seed", str(seed), "--profile", profile],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        if process.returncode:
            words = process.stderr.rpartition("sslcourse: ")[2].strip()[-2000:]
            raise BuildError(f"{lesson.id}, seed {seed}: {words}")
        recorded = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    print(f"{lesson.id}, seed {seed}: {seconds:.0f} s, {len(recorded)} numbers", flush=True)
    return recorded, seconds
