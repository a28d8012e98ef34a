"""Runs `measure allocation`: the planted problems that are not stored yet."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.measure.allocation.planted import Pattern, Planting
from benchmarks.measure.allocation.suite import measure
from benchmarks.store.allocation_record import AllocationRun, allocation_runs, write_allocation_run

PATTERNS: tuple[Pattern, ...] = ("few", "falling", "alike")
"""What is planted; the last is the control."""
CURVE = (0.25, 0.5, 2.0, 4.0)
"""Further budgets of the first pattern at the first seed, for the curves."""
ON_CURVE = ("autolora_budget", "truncation")
"""Allocators on the curves, besides uniform and the oracle."""


def measure_allocation(student: str, seeds: int, folder: Path, tell: Callable[[str], None]) -> list[AllocationRun]:
    """Run the problems of a student that the folder lacks, and keep each; returns all runs of the folder.

    Args:
        student: one of `students.STUDENTS`.
        seeds: number of seeds; 0 runs nothing.
        folder: the store's.
        tell: called with a line per allocator, and per file.
    """
    for planting, seed in _problems(seeds):
        known = {(run.student, run.setting, run.seed) for run in allocation_runs(folder)}
        setting = f"{student}-{planting.pattern}-{planting.spectrum}"
        if (student, setting, seed) in known:
            continue
        run = measure(student, planting, seed, tell=tell)
        if (planting.pattern, seed) == (PATTERNS[0], 0):
            curve = measure(student, planting, seed, names=ON_CURVE, shares=CURVE, tell=tell)
            run = replace(run, trials=(*run.trials, *curve.trials))
        tell(str(write_allocation_run(folder, run)))
    return allocation_runs(folder)


def _problems(seeds: int) -> Iterator[tuple[Planting, int]]:
    for seed in range(seeds):
        for pattern in PATTERNS:
            yield Planting(pattern=pattern), seed
