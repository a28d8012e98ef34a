"""Where and how a computation runs: device, precision, checkpoints, progress and interruption."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from autolora.compute.clocks import Clocks
from autolora.compute.process_group import Team

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One finished optimisation step."""

    stage: str
    """Name of the running stage: "train" or "search"."""
    step: int
    """Steps done, 1..steps."""
    steps: int
    """Total number of steps of the stage."""
    loss: float | None
    """Training loss of the step, or None if it was not fetched from the device."""


def silent(progress: Progress) -> None:
    """Do not report progress."""


def never() -> bool:
    """Never stop."""
    return False


@dataclass(frozen=True, kw_only=True)
class TimingRun:
    """Times a few steps of each stage and extrapolates to all steps; the resulting weights are unusable."""

    steps: int = 20
    """Number of timed steps, chosen to represent the lengths of all batches."""
    warmup: int = 5
    """Number of untimed steps before the timed ones."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 0:
            raise ValueError(f"a timing run has at least 1 step, after 0 or more; got {self.steps}, {self.warmup}")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where and how a method is computed.

    Results depend on `device`, `precision` and `timing_run`, up to rounding on `graphs`, `onednn` and `team`, and on no
    other field.
    """

    device: str = "cpu"
    """A torch device: "cpu", "cuda", "cuda:1"."""
    precision: Precision = "fp32"
    """"bf16" runs forward passes under bfloat16 autocast; weights and optimizer states stay float32."""
    checkpoints: Path | None = None
    """Folder for checkpoints, one file per stage; None writes no checkpoints."""
    checkpoint_seconds: float = 60.0
    """Minimum number of seconds between two checkpoints of a stage."""
    team: Team = field(default_factory=Team.of_this_process)
    """The processes that each batch is split over; by default those of torch's default process group."""
    graphs: bool = False
    """Pad batches to one of few lengths, and record the kernels of a step as one CUDA graph per length, which is faster
    than launching them one by one. They are recorded on CUDA devices only, without micro-batches and in one process."""
    onednn: bool = False
    """Compute linear layers by oneDNN, on a CPU at full precision: faster on AMD processors."""
    timing_run: TimingRun | None = None
    """Only estimate how long each stage takes; None runs every step."""
    clocks: Clocks = field(default_factory=Clocks)
    """Timers of everything except optimisation: "checkpoint", and "choose" if a method scores candidates."""
    progress: Callable[[Progress], None] = silent
    """Called after every step."""
    stop: Callable[[], bool] = never
    """Called after every step; if it returns True, a checkpoint is written and `Interrupted` is raised."""

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is fp32 or bf16; got {self.precision!r}")

    @property
    def warmup(self) -> int:
        """Number of untimed steps of a timing run.

        With CUDA graphs there are enough of them that the shapes of all timed steps are recorded beforehand.
        """
        if not self.timing_run:
            return 0
        return max(self.timing_run.warmup, 2 * self.timing_run.steps) if self.graphs else self.timing_run.warmup

    def autocast(self) -> AbstractContextManager[object]:
        """The autocast context for forward passes; disabled at precision "fp32"."""
        enabled = self.precision == "bf16"
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=enabled)


class Interrupted(Exception):
    """The run was stopped on request; its progress is in a checkpoint if the runtime writes any."""


class NonFiniteLossError(ArithmeticError):
    """A loss, a gradient or a selection variable became NaN or infinite."""
