"""The measurements of a run of `measure speed`: the content of its file (results/README.md)."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.core.nested import plain
from benchmarks.core.untrusted import check_folder_names
from benchmarks.store.result import Environment, Result, unchanged
from benchmarks.store.store import Format, read_record, write_atomically

SCHEMA = 4
FOLDER = "speed"
"""Folder of speed files, next to a store's results."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Measured times of one contender (an implementation of some work)."""

    work: str
    name: str
    seconds: tuple[float, ...]
    """Time per round."""
    over: str | None
    """Baseline: name of the contender for the same work by whose time this one's is divided; None for no baseline."""
    ratios: tuple[float, ...]
    """Per round, this contender's time divided by the baseline's; empty without a baseline."""
    reach: str | None
    """Target for the ratio, as text; None for no target."""
    met: bool | None
    """Whether the target was met; None for no target."""

    @property
    def ratio(self) -> float | None:
        """Median ratio over the rounds; None without a baseline."""
        return statistics.median(self.ratios) if self.ratios else None


@dataclass(frozen=True, kw_only=True)
class SpeedRun:
    """Times that can be compared with each other: measured in alternation, on one host, by one run."""

    schema: int = SCHEMA
    model_title: str
    steps: int
    """Steps that each contender runs per turn."""
    timings: tuple[Timing, ...]
    environment: Environment
    finished: str
    """UTC, ISO 8601."""

    def __post_init__(self) -> None:
        check_folder_names(finished=self.finished.replace(":", ""))

    def ratios(self, name: str, other: str) -> dict[str, list[float]]:
        """Work -> ratio of two contenders' times, one per round, for all work that both did."""
        seconds = {(timing.work, timing.name): timing.seconds for timing in self.timings}
        works = dict.fromkeys(timing.work for timing in self.timings)
        return {
            work: [ours / others for ours, others in zip(seconds[work, name], seconds[work, other], strict=True)]
            for work in works
            if (work, name) in seconds and (work, other) in seconds
        }


SPEED_RUN = Format(
    kind=SpeedRun,
    name="speed run",
    schema=SCHEMA,
    remedy="move it away",
    migrations={1: unchanged, 2: unchanged, 3: unchanged},
)


def write_speed_run(folder: Path, run: SpeedRun) -> Path:
    """Write a speed run below a store's folder; returns the path of the file."""
    stamp = run.finished.replace(":", "").replace("-", "").split("+")[0]
    path = folder / FOLDER / f"{stamp}-{run.environment.key[:8]}.json"
    write_atomically(path, (json.dumps(plain(run), indent=1, allow_nan=False) + "\n").encode())
    return path


def speed_runs_like(folder: Path, result: Result) -> list[SpeedRun]:
    """Speed runs with the backbone of a result, from a store's folder and its parent, oldest first.

    Raises:
        InputError: a file cannot be read.
    """
    every = sorted([*speed_runs(folder), *speed_runs(folder.parent)], key=lambda run: run.finished)
    return [run for run in every if run.model_title == result.model_title]


def speed_runs(folder: Path) -> Sequence[SpeedRun]:
    """All speed runs below a store's folder, oldest first. Raises InputError: a file cannot be read."""
    paths = sorted((folder / FOLDER).glob("*.json"))
    return [read_record(path, SPEED_RUN) for path in paths]
