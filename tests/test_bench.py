"""The GPU's benchmark, without a GPU: it runs to its end, counts what it should, and writes only what was measured."""

import json
import subprocess
import sys

import pytest

from sslcourse import ledger, paths
from tests.bench import gpu

QUANTITIES = {
    "sslcourse, views a second", "usual, views a second", "ratio", "sslcourse, seconds an epoch",
    "its steps, TFLOP a second", "bf16 matrix products, TFLOP a second", "share of them",
}  # fmt: skip


def bench(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.bench.gpu", *arguments]
    return subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, timeout=300)


def test_the_gpu_bench_can_be_rehearsed_on_a_cpu():
    before = ledger.results(ledger.path_of("bench", "gpu"))
    result = bench("--rehearse")
    assert result.returncode == 0, result.stderr[-3000:]
    for batch in (4, 8):
        line = next(line for line in result.stdout.splitlines() if line.startswith(f"batch {batch}, as it is: "))
        parts = [part.rsplit(" ", 1) for part in line.partition(": ")[2].split("; ")]
        assert {name for name, _ in parts} == QUANTITIES and all(float(value) > 0 for _, value in parts)
    assert "wrote" not in result.stdout and ledger.results(ledger.path_of("bench", "gpu")) == before


def test_without_a_gpu_nothing_is_measured(monkeypatch, capsys):
    monkeypatch.setenv("SSLCOURSE_DEVICE", "cpu")
    monkeypatch.setattr(sys, "argv", ["gpu"])
    assert gpu.main() == 2
    assert capsys.readouterr().err.startswith("bench-gpu: there is no CUDA GPU here")


def test_a_step_s_arithmetic_is_counted_on_both_views_and_both_ways():
    """ResNet-18 with the stem for small pictures takes 0.56 billion products each time it sees one of 32x32."""
    assert gpu.step_tflop(batch=8, size=32) == pytest.approx(2 * 8 * 3 * 2 * 0.556e9 / 1e12, rel=0.01)


def test_what_was_measured_is_written_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "COURSE", tmp_path)
    entries = {f"batch 512, compiled/{name}": [2.0, 3.0, 4.0] for name in QUANTITIES}
    gpu.write(gpu.plan_for_rehearsal(), entries)
    assert [path.name for path in tmp_path.iterdir()] == ["bench.gpu.results.json"]
    content = json.loads((tmp_path / "bench.gpu.results.json").read_text())
    assert content["device"] and content["versions"]["torch"] and content["pictures"] == "random pictures"
    table = ledger.measured_table("", content)
    assert table.rows[0][1:] == list(entry.partition("/")[2] for entry in entries)
    assert content["entries"]["batch 512, compiled/ratio"]["unit"] == "x"
