"""`sslcourse measure`: run a lesson as it stands, once a seed, and write what it recorded into its ledger."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sslcourse import devices, ledger, paths
from sslcourse.course import Lesson
from sslcourse.errors import BuildError

RUN = (sys.executable, "-m", "sslcourse", "run")
POLL = 0.05  # seconds between two looks at the processes


def measure(
    lesson: Lesson,
    seeds: int = 3,
    profile: str = "cpu",
    jobs: int = 1,
    device: str | None = None,
    command: Sequence[str] = RUN,
) -> dict:
    """Write the profile's results file from at least three runs; returns its content. The lesson is the experiment.

    jobs: runs side by side, each with its share of the cores. device: its name; default: the best there is.
    command: what runs a lesson, as `sslcourse run` does.
    Raises BuildError where a run fails or records other keys than the one before; the old file then stays.
    """
    check_options(seeds, profile, jobs)
    used = str(devices.best_device(device))
    cores = max(1, cores_asked_for() // jobs)
    options = [lesson.id, "--profile", profile, "--device", used]
    with tempfile.TemporaryDirectory() as folder:
        runs = run_all(seeds, jobs, lambda seed: Run(lesson.id, seed, [*command, *options], cores, Path(folder)))
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
        device=used,
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


def cores_asked_for() -> int:
    """The cores that this process may use, or as many as OMP_NUM_THREADS says where that is fewer."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(devices.cores(), int(asked)) if asked.isdigit() and int(asked) else devices.cores()


class Run:
    """One seed's run of the solved lesson, in a process of its own that begins at once."""

    def __init__(self, lesson: str, seed: int, command: Sequence[str], cores: int, folder: Path):
        self.lesson, self.seed = lesson, seed
        self.record, self.output = folder / f"{seed}.json", folder / f"{seed}.txt"
        environment = os.environ | {ledger.RECORD: str(self.record), "OMP_NUM_THREADS": str(cores)}
        environment[paths.CACHE] = str(folder / f"cache {seed}")  # each run's seconds are those of a first run
        self.begin = time.perf_counter()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--seed", str(seed)],
                env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def result(self) -> tuple[dict, float]:
        """What the run recorded, and its seconds, once it has ended. BuildError, with its last words, if it failed."""
        seconds = time.perf_counter() - self.begin
        if self.process.returncode:
            raise BuildError(f"{self.lesson}, seed {self.seed}: {self.last_words()}")
        recorded = json.loads(self.record.read_text(encoding="utf-8")) if self.record.exists() else {}
        print(f"{self.lesson}, seed {self.seed}: {seconds:.0f} s, {len(recorded)} numbers", flush=True)
        return recorded, seconds

    def last_words(self) -> str:
        """The sentence with which `sslcourse run` ended; where there is none, how it ended and what it said last."""
        output = self.output.read_text(encoding="utf-8", errors="replace")
        _, begins, sentence = output.rpartition("sslcourse: ")
        if begins and self.process.returncode == 2:
            return sentence.strip()
        lines = [f"\n  {line}" for line in output.splitlines()[-10:]]
        return f"the run ended with code {self.process.returncode}; its last lines:{''.join(lines)}"

    def end(self) -> None:
        """End the process, if it still runs."""
        self.process.terminate()
        self.process.wait()


def run_all(seeds: int, jobs: int, start: Callable[[int], Run]) -> list[tuple[dict, float]]:
    """The result of each seed, `jobs` of them side by side. A run that fails, and Ctrl-C, end the others."""
    waiting, running, results = list(range(seeds)), [], {}
    try:
        while len(results) < seeds:
            while waiting and len(running) < jobs:
                running.append(start(waiting.pop(0)))
            time.sleep(POLL)
            for run in [run for run in running if run.process.poll() is not None]:
                results[run.seed] = run.result()
                running.remove(run)
    finally:
        for run in running:
            run.end()
    return [results[seed] for seed in range(seeds)]
