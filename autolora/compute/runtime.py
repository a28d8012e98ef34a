"""Where and how a computation runs: device, precision, checkpoints, progress and the wish to stop."""

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
    """What is running: "train" or "search"."""
    step: int
    """Steps done, 1..steps."""
    steps: int
    """All steps of this stage."""
    loss: float | None
    """Training loss of the step, or None where it was not fetched from the device."""


def silent(progress: Progress) -> None:
    """Report nothing."""


def never() -> bool:
    """Never stop."""
    return False


@dataclass(frozen=True, kw_only=True)
class TimingRun:
    """Times a few steps of each stage and extrapolates to all of them; the weights that it leaves are unusable."""

    steps: int = 20
    """Steps that are timed. They are chosen to have batches of all lengths."""
    warmup: int = 5
    """Steps before them, which are not."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 0:
            raise ValueError(f"a timing run has at least 1 step, after 0 or more; got {self.steps}, {self.warmup}")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where and how.

    No result changes but by `device`, `precision`, `timing_run`, and a little by `graphs`, `onednn` and `team`.
    """

    device: str = "cpu"
    """A torch device: "cpu", "cuda", "cuda:1"."""
    precision: Precision = "fp32"
    """"bf16" runs forward passes under bfloat16 autocast; weights and optimizer states stay float32."""
    checkpoints: Path | None = None
    """Folder for checkpoints, one file per stage; None keeps none."""
    checkpoint_seconds: float = 60.0
    """At least this many seconds lie between two checkpoints of a stage."""
    team: Team = field(default_factory=Team.of_this_process)
    """The processes that compute a batch together; those of torch's default process group, where one was begun."""
    graphs: bool = False
    """Pad batches to one of few lengths, and record the kernels of a step as a CUDA graph for each, where the device has
    those and a batch is computed in one part: launching them at once is faster than one by one."""
    onednn: bool = False
    """Compute linear layers by oneDNN, on a CPU at full precision: faster on AMD processors."""
    timing_run: TimingRun | None = None
    """Only estimate how long it would take; None runs every step."""
    clocks: Clocks = field(default_factory=Clocks)
    """Take the time of what is no optimisation: "checkpoint", and "choose" where a method scores candidates."""
    progress: Callable[[Progress], None] = silent
    """Called after every step."""
    stop: Callable[[], bool] = never
    """Asked after every step; once it answers True a checkpoint is written and `Interrupted` raised."""

    def __post_init__(self) -> None:
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is fp32 or bf16; got {self.precision!r}")

    @property
    def warmup(self) -> int:
        """Steps of a timing run that are not timed.

        Where kernels are recorded, every timed step has been seen and recorded before.
        """
        if not self.timing_run:
            return 0
        return max(self.timing_run.warmup, 2 * self.timing_run.steps) if self.graphs else self.timing_run.warmup

    def autocast(self) -> AbstractContextManager[object]:
        """The context that forward passes run in."""
        enabled = self.precision == "bf16"
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=enabled)


class Interrupted(Exception):
    """The run was asked to stop; what it had done is in a checkpoint where the runtime keeps any."""


class NonFiniteLossError(ArithmeticError):
    """A loss, a gradient or a selection variable became NaN or infinite."""
