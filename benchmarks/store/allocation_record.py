"""The record of planted rank allocations: the content of the files of `measure allocation`."""

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.core.nested import plain
from benchmarks.store.result import Environment
from benchmarks.store.store import Format, read_record, write_atomically

SCHEMA = 1
FOLDER = "allocation"
"""Folder of these files, next to a store's results."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One allocator on one planted problem, and what LoRA reaches with its ranks."""

    allocator: str
    title: str
    share: float
    """Budget over the number of parameters of the planted updates."""
    budget: int
    """Parameters."""
    spent: int
    """Parameters of the ranks found; less than the budget where integer ranks do not meet it."""
    ranks: tuple[int, ...]
    """Of the layers, in the model's order."""
    loss: float
    """Held-out loss after LoRA's training, as a share of the student's own."""
    seconds: float
    """Wall-clock time of the allocation."""
    training_seconds: float
    """Wall-clock time of LoRA's training with these ranks."""


@dataclass(frozen=True, kw_only=True)
class AllocationRun:
    """All allocators on one planted problem of one seed."""

    schema: int = SCHEMA
    student: str
    pattern: str
    spectrum: str
    noise: float
    shuffled: bool
    seed: int
    layers: tuple[str, ...]
    costs: tuple[int, ...]
    """Parameters of a rank of 1 in each layer."""
    truth: tuple[int, ...]
    """The planted ranks."""
    steps: int
    """Of LoRA's training, and of each allocation that trains."""
    lr: float
    trials: tuple[Trial, ...]
    environment: Environment
    finished: str
    """UTC, ISO 8601."""

    @property
    def name(self) -> str:
        """Identifies the problem among those of a student."""
        noise = f"-noise{self.noise:g}" if self.noise else ""
        shuffled = "-shuffled" if self.shuffled else ""
        return f"{self.student}-{self.pattern}-{self.spectrum}{noise}{shuffled}-{self.seed}"

    @property
    def setting(self) -> str:
        """What is planted, without the seed."""
        return self.name.rpartition("-")[0]


ALLOCATION_RUN = Format(kind=AllocationRun, name="allocation run", schema=SCHEMA, remedy="move it away")


def write_allocation_run(folder: Path, run: AllocationRun) -> Path:
    """Write a run below a store's folder, in place of an older one of the same problem; returns the path of the file."""
    path = folder / FOLDER / f"{run.name}.json"
    write_atomically(path, (json.dumps(plain(run), indent=1, allow_nan=False) + "\n").encode())
    return path


def allocation_runs(folder: Path) -> list[AllocationRun]:
    """All runs below a store's folder, by name. Raises InputError: a file cannot be read."""
    return [read_record(path, ALLOCATION_RUN) for path in sorted((folder / FOLDER).glob("*.json"))]
