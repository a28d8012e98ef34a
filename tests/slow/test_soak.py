"""Two thousand cells, one in twenty of which fails: none is lost, and a process that runs many does not grow."""

import os
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from autolora.problem import Outcome, Problem
from benchmarks.cli.main import main
from benchmarks.run.pool import workers
from benchmarks.store.store import Store
from tests.support import fakes
from tests.support.faults import CELLS, fate, misbehave

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
BYTES, HANDLES = 20e6, 2
"""So much a process may grow between its first hundred cells and its last hundred."""


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("workers_asked", [1, 2])
def test_every_cell_ends_and_no_process_grows(
    workers_asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = fakes.Steady.train

    def watched(method: Any, problem: Problem) -> Outcome:
        with (tmp_path / f"process-{os.getpid()}").open("a", encoding="ascii") as file:
            file.write(f"{resident_bytes()} {len(list(Path('/proc/self/fd').iterdir()))}\n")
        misbehave(fate(problem.seed, may_be_killed=workers_asked > 1), tmp_path / f"killed-{problem.seed}")
        return train(method, problem)

    fakes.install(monkeypatch.setattr)
    monkeypatch.setattr(workers, "START_METHOD", "fork")
    monkeypatch.setattr(fakes.Steady, "train", watched)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    runs = tmp_path / "runs"
    preset = str(fakes.write_preset(tmp_path))
    options = ["--tasks=coin", "--methods=steady", f"--seeds={CELLS}", "--quiet", f"--workers={workers_asked}"]
    began = time.monotonic()
    assert main(["run", "--preset", preset, "--runs", str(runs), *options]) == 1
    seconds = time.monotonic() - began

    results = list(Store(folder=runs).results())
    assert sorted(result.seed for result in results) == list(range(CELLS))
    fates = [fate(seed, may_be_killed=workers_asked > 1) for seed in range(CELLS)]
    failing = sum(what not in ("", "is killed once") for what in fates)
    counts = Counter(result.status for result in results)
    assert counts == {"failed": failing, "done": CELLS - failing}
    assert all(result.reason for result in results if result.status == "failed")
    assert not list(runs.rglob("*.partial"))
    assert not list(runs.rglob(".lock"))

    lives = [read(path) for path in tmp_path.glob("process-*")]
    long = [lines for lines in lives if len(lines) >= 300]
    assert len(long) == workers_asked
    for lines in long:
        first, last = (list(zip(*part, strict=True)) for part in (lines[:100], lines[-100:]))
        assert statistics.median(last[0]) - statistics.median(first[0]) < BYTES
        assert statistics.median(last[1]) - statistics.median(first[1]) < HANDLES
    print(f"{workers_asked} workers: {seconds / CELLS:.3f} s a cell, {counts}")  # noqa: T201  a figure for the docs


def read(path: Path) -> list[tuple[int, int]]:
    return [(int(bytes_), int(handles)) for bytes_, handles in map(str.split, path.read_text("ascii").splitlines())]
