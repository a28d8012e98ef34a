"""The measurements of a run of `measure cost`: the content of its file (results/README.md)."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.core.nested import plain
from benchmarks.core.untrusted import check_folder_names
from benchmarks.store.result import Environment, Result, unchanged
from benchmarks.store.store import Format, read_record, write_atomically

SCHEMA = 4
FOLDER = "costs"
"""Folder of cost files, next to a store's results."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """Measurements of one method in one round."""

    seconds: Mapping[str, float]
    """Stage -> time of all of its steps, measured or extrapolated."""
    peak_memory_bytes: int | None
    """Peak memory, defined as in `Result`."""
    watts: float | None
    """Mean power during the measurement; None where the device does not report energy."""
    disturbed: bool
    """Whether wall clock and monotonic clock disagree: the machine was suspended, or its clock was set."""

    @property
    def total(self) -> float:
        """Time of all stages, in seconds."""
        return sum(self.seconds.values())


@dataclass(frozen=True, kw_only=True)
class StageWork:
    """Work per step of a stage, averaged over representative steps."""

    steps: int
    """Number of steps of the stage, summed over the configurations of a grid."""
    tokens: float
    """Tokens per step, without padding."""
    padding: float
    """Fraction of the processed tokens that are padding."""
    flops: float
    """Floating-point operations of matrix products, per step."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one method on one task."""

    task: str
    task_title: str
    method: str
    method_title: str
    again: bool
    """Whether this is the calibration copy: the same method, measured a second time."""
    rounds: tuple[Round, ...]
    work: Mapping[str, StageWork]
    """Stage -> work per step."""
    trainable_parameters: int
    config: Mapping[str, Any]

    @property
    def sound(self) -> list[int]:
        """Indices of the undisturbed rounds."""
        return [number for number, each in enumerate(self.rounds) if not each.disturbed]

    def step_seconds(self, stage: str) -> float | None:
        """Median time per step over the undisturbed rounds; None if there are none."""
        seconds = [self.rounds[number].seconds[stage] for number in self.sound]
        return statistics.median(seconds) / self.work[stage].steps if seconds else None


@dataclass(frozen=True, kw_only=True)
class CostRun:
    """Costs that can be compared with each other: measured in alternation, on one host, by one run."""

    schema: int = SCHEMA
    preset: str
    protocol: str
    timed_steps: int | None
    """Steps timed per stage and configuration and extrapolated to the whole stage; None if all steps were run."""
    warmup_steps: int
    """Untimed steps that precede the timed ones."""
    matmul_flops_per_second: float
    """Throughput of the device in matrix products of a transformer's size, at the run's precision."""
    model_title: str
    model_parameters: int
    data_sources: Mapping[str, str]
    """Task -> source of its rows."""
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
        """Indices of the rounds in which no cost was disturbed."""
        numbers = range(min(len(cost.rounds) for cost in self.costs))
        return [number for number in numbers if not any(cost.rounds[number].disturbed for cost in self.costs)]

    def of(self, task: str, method: str, *, again: bool = False) -> Cost | None:
        """Cost of a method on a task, or of its calibration copy (`again`); None if it was not measured."""
        return next(
            (cost for cost in self.costs if (cost.task, cost.method, cost.again) == (task, method, again)), None
        )

    def ratios(self, method: str, other: str, tasks: Sequence[str] = (), *, again: bool = False) -> list[float]:
        """Ratios of two methods' total times, summed over tasks: one for each round that nothing disturbed (`sound`).

        Empty where no task has both methods.

        Args:
            method: the numerator.
            other: the denominator.
            tasks: tasks to sum over; empty means all tasks with both methods.
            again: take the second, identical measurement of `method` (the calibration copy) as the numerator.
        """
        costs = [(self.of(task, method, again=again), self.of(task, other)) for task in tasks or self.tasks]
        pairs = [(numerator, denominator) for numerator, denominator in costs if numerator and denominator]
        if not pairs:
            return []
        return [
            sum(numerator.rounds[number].total for numerator, _ in pairs)
            / sum(denominator.rounds[number].total for _, denominator in pairs)
            for number in self.sound
        ]


COST_RUN = Format(
    kind=CostRun,
    name="cost run",
    schema=SCHEMA,
    remedy="move it away",
    migrations={1: unchanged, 2: unchanged, 3: unchanged},
)


def write_cost_run(folder: Path, run: CostRun) -> Path:
    """Write a cost run below a store's folder; returns the path of the file."""
    stamp = run.finished.replace(":", "").replace("-", "").split("+")[0]
    path = folder / FOLDER / f"{stamp}-{run.preset}-{run.environment.key[:8]}.json"
    write_atomically(path, (json.dumps(plain(run), indent=1, allow_nan=False) + "\n").encode())
    return path


def cost_runs_like(folder: Path, result: Result) -> list[CostRun]:
    """Cost runs with the preset and backbone of a result, oldest first. Raises InputError: a file cannot be read."""
    like = (result.preset, result.model_title, result.model_parameters)
    return [run for run in cost_runs(folder) if (run.preset, run.model_title, run.model_parameters) == like]


def cost_runs(folder: Path) -> Sequence[CostRun]:
    """All cost runs below a store's folder, oldest first. Raises InputError: a file cannot be read."""
    paths = sorted((folder / FOLDER).glob("*.json"))
    return [read_record(path, COST_RUN) for path in paths]
