"""What a run of `measure speed` found out: the content of its file (results/README.md)."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.core.nested import plain
from benchmarks.core.untrusted import check_folder_names
from benchmarks.store.result import Environment, Result, as_it_is
from benchmarks.store.store import Format, read_record, write_atomically

SCHEMA = 2
FOLDER = "speed"
"""Beside the results of a store."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What came out for one contender."""

    work: str
    name: str
    seconds: tuple[float, ...]
    """One per round."""
    over: str | None
    """Contender of the same work that its time is divided by."""
    ratios: tuple[float, ...]
    """One per round: its seconds over the other's in the same round; empty where it is divided by none."""
    reach: str | None
    met: bool | None

    @property
    def ratio(self) -> float | None:
        """Median over rounds."""
        return statistics.median(self.ratios) if self.ratios else None


@dataclass(frozen=True, kw_only=True)
class SpeedRun:
    """Times that can be compared: measured in turns, on one host, by one run."""

    schema: int = SCHEMA
    model_title: str
    steps: int
    """Steps per turn."""
    timings: tuple[Timing, ...]
    environment: Environment
    finished: str
    """UTC, ISO 8601."""

    def __post_init__(self) -> None:
        check_folder_names(finished=self.finished.replace(":", ""))

    def ratios(self, name: str, other: str) -> dict[str, list[float]]:
        """Work -> one contender's seconds over another's, round by round, where both did it."""
        seconds = {(timing.work, timing.name): timing.seconds for timing in self.timings}
        works = dict.fromkeys(timing.work for timing in self.timings)
        return {
            work: [mine / theirs for mine, theirs in zip(seconds[work, name], seconds[work, other], strict=True)]
            for work in works
            if (work, name) in seconds and (work, other) in seconds
        }


SPEED_RUN = Format(kind=SpeedRun, name="speed run", schema=SCHEMA, remedy="move it away", migrations={1: as_it_is})


def write_speed_run(folder: Path, run: SpeedRun) -> Path:
    """Write a run under a store's folder; returns the file."""
    stamp = run.finished.replace(":", "").replace("-", "").split("+")[0]
    path = folder / FOLDER / f"{stamp}-{run.environment.key[:8]}.json"
    write_atomically(path, (json.dumps(plain(run), indent=1, allow_nan=False) + "\n").encode())
    return path


def speed_runs_like(folder: Path, result: Result) -> list[SpeedRun]:
    """Those of a result's backbone under a store's folder and the one above it, the oldest first.

    Raises:
        InputError: one cannot be read.
    """
    every = sorted([*speed_runs(folder), *speed_runs(folder.parent)], key=lambda run: run.finished)
    return [run for run in every if run.model_title == result.model_title]


def speed_runs(folder: Path) -> Sequence[SpeedRun]:
    """All runs under a store's folder, the oldest first. Raises InputError: one cannot be read."""
    paths = sorted((folder / FOLDER).glob("*.json"))
    return [read_record(path, SPEED_RUN) for path in paths]
