"""What a run of `measure cost` found out: the content of its file (results/README.md)."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.core.nested import plain
from benchmarks.core.untrusted import check_folder_names
from benchmarks.store.result import Environment, Result, as_it_is
from benchmarks.store.store import Format, read_record, write_atomically

SCHEMA = 2
FOLDER = "costs"
"""Beside the results of a store."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One method's turn in one round."""

    seconds: Mapping[str, float]
    """Stage -> what all of its steps take, measured or projected."""
    peak_memory_bytes: int | None
    """As in a result."""
    watts: float | None
    """Mean power meanwhile, where the device reports energy."""
    disturbed: bool
    """The wall clock and the monotonic one disagree: the machine slept, or its clock was set."""

    @property
    def total(self) -> float:
        """All stages together."""
        return sum(self.seconds.values())


@dataclass(frozen=True, kw_only=True)
class StageWork:
    """What a step of a stage is made of, on average over typical ones."""

    steps: int
    """Of the whole stage, all configurations of a grid together."""
    tokens: float
    """Per step, padding left out."""
    padding: float
    """Share of what is computed that is padding."""
    flops: float
    """Floating-point operations per step, in matrix products."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one method costs on one task."""

    task: str
    task_title: str
    method: str
    method_title: str
    again: bool
    """Whether this is the second copy of a method, for calibration."""
    rounds: tuple[Round, ...]
    work: Mapping[str, StageWork]
    """Stage -> what its steps are made of."""
    trainable_parameters: int
    config: Mapping[str, Any]

    @property
    def sound(self) -> list[int]:
        """Rounds that nothing disturbed."""
        return [number for number, each in enumerate(self.rounds) if not each.disturbed]

    def step_seconds(self, stage: str) -> float | None:
        """Median over the sound rounds."""
        seconds = [self.rounds[number].seconds[stage] for number in self.sound]
        return statistics.median(seconds) / self.work[stage].steps if seconds else None


@dataclass(frozen=True, kw_only=True)
class CostRun:
    """Costs that can be compared: measured in turn, on one host, by one run."""

    schema: int = SCHEMA
    preset: str
    protocol: str
    timed_steps: int | None
    """Steps timed per stage and configuration, from which all are projected; None: all steps were run."""
    warmup_steps: int
    """Steps before them, which were not timed."""
    matmul_flops_per_second: float
    """What the device reaches in matrix products of a transformer's size, at the run's precision."""
    model_title: str
    model_parameters: int
    data_sources: Mapping[str, str]
    """Task -> where its rows come from."""
    costs: tuple[Cost, ...]
    environment: Environment
    finished: str
    """UTC, ISO 8601."""

    def __post_init__(self) -> None:
        check_folder_names(preset=self.preset, finished=self.finished.replace(":", ""))

    @property
    def tasks(self) -> dict[str, str]:
        """Task -> title."""
        return {cost.task: cost.task_title for cost in self.costs}

    @property
    def methods(self) -> dict[str, str]:
        """Method -> title."""
        return {cost.method: cost.method_title for cost in self.costs}

    @property
    def sound(self) -> list[int]:
        """Rounds that nothing disturbed."""
        numbers = range(min(len(cost.rounds) for cost in self.costs))
        return [number for number in numbers if not any(cost.rounds[number].disturbed for cost in self.costs)]

    def of(self, task: str, method: str, *, again: bool = False) -> Cost | None:
        """What a method costs on a task; None where it was not measured."""
        return next(
            (cost for cost in self.costs if (cost.task, cost.method, cost.again) == (task, method, again)), None
        )

    def ratios(self, method: str, other: str, tasks: Sequence[str] = (), *, again: bool = False) -> list[float]:
        """One method's time over another's, round by round; the times are summed over tasks first.

        Args:
            method: whose time is divided,
            other: by whose.
            tasks: some of the run's; all that have both methods, if empty.
            again: take the method's second copy.
        """
        found = [(self.of(task, method, again=again), self.of(task, other)) for task in tasks or self.tasks]
        pairs = [(mine, theirs) for mine, theirs in found if mine and theirs]
        return [
            sum(mine.rounds[number].total for mine, _ in pairs)
            / sum(theirs.rounds[number].total for _, theirs in pairs)
            for number in self.sound
        ]


COST_RUN = Format(kind=CostRun, name="cost run", schema=SCHEMA, remedy="move it away", migrations={1: as_it_is})


def write_cost_run(folder: Path, run: CostRun) -> Path:
    """Write a run under a store's folder; returns the file."""
    stamp = run.finished.replace(":", "").replace("-", "").split("+")[0]
    path = folder / FOLDER / f"{stamp}-{run.preset}-{run.environment.key[:8]}.json"
    write_atomically(path, (json.dumps(plain(run), indent=1, allow_nan=False) + "\n").encode())
    return path


def cost_runs_like(folder: Path, result: Result) -> list[CostRun]:
    """Those of a result's preset and backbone, the oldest first. Raises InputError: one cannot be read."""
    like = (result.preset, result.model_title, result.model_parameters)
    return [run for run in cost_runs(folder) if (run.preset, run.model_title, run.model_parameters) == like]


def cost_runs(folder: Path) -> Sequence[CostRun]:
    """All runs under a store's folder, the oldest first. Raises InputError: one cannot be read."""
    paths = sorted((folder / FOLDER).glob("*.json"))
    return [read_record(path, COST_RUN) for path in paths]
