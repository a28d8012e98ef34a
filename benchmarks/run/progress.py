"""Progress of a run: a live view in a terminal, at most a line per minute elsewhere; only failures if quiet."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO

import torch
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autolora.compute.runtime import Progress
from benchmarks.core.untrusted import printable
from benchmarks.run.plan import PlannedCell
from benchmarks.store.result import Result

LINE_SECONDS = 60.0
"""Least time between two lines about steps, where there is no terminal."""
BAR_WIDTH = 40


class RunProgress:
    """Prints progress to stderr, as a share of the plan's estimated seconds."""

    def __init__(self, plan: Sequence[PlannedCell], stream: TextIO | None = None, *, quiet: bool = False) -> None:
        console = Console(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self._console = console
        self._quiet = quiet
        self._total = sum(planned.seconds for planned in plan if not planned.done) or 1.0
        self._counts = {"done": sum(planned.done for planned in plan), "failed": 0}
        self._cells = len(plan)
        self._last = ""
        self._started = self._last_line = time.monotonic()
        self._finished = 0.0
        self._running: dict[str, _RunningCell] = {}
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=4)
        if console.is_terminal and not quiet:
            self._live.start()

    def begin(self, planned: PlannedCell) -> None:
        """Called when a cell starts."""
        self._running[planned.cell.identity] = _RunningCell(name=planned.cell.name, seconds=planned.seconds)

    def step(self, planned: PlannedCell, progress: Progress) -> None:
        """Called after every step of a running cell."""
        running = self._running[planned.cell.identity]
        running.step(progress)
        if not self._live.is_started and time.monotonic() - self._last_line >= LINE_SECONDS:
            self._line(f"{running.name}, {running.where}")

    def end(self, planned: PlannedCell, result: Result) -> None:
        """Called when a running cell has finished or failed."""
        del self._running[planned.cell.identity]
        self._finished += planned.seconds
        failed = result.status == "failed"
        self._counts["failed" if failed else "done"] += 1
        if failed:
            text = f"FAILED: {printable(result.reason or '')}"
        else:
            text = f"{result.metric} {'undefined' if result.score is None else result.scale.text(result.score)}"
        self._last = f"{planned.cell.name}: {text}, {result.seconds['total']:.0f} s"
        if failed or not self._live.is_started:
            self._line(self._last, always=failed)

    def drop(self, planned: PlannedCell) -> None:
        """Called when a running cell has ended without a result."""
        del self._running[planned.cell.identity]

    def close(self) -> None:
        """Stop the live view; its last state stays in the terminal."""
        self._live.stop()

    @property
    def _done(self) -> float:
        """Estimated seconds of everything that is done."""
        return self._finished + sum(cell.done for cell in self._running.values())

    @property
    def _left(self) -> timedelta:
        """Time left: the plan's remaining estimated seconds, scaled by the run's measured rate so far."""
        seconds = (time.monotonic() - self._started) * (self._total - self._done) / max(self._done, 1e-9)
        return timedelta(seconds=round(seconds))

    def _line(self, text: str, *, always: bool = False) -> None:
        self._last_line = time.monotonic()
        if always or not self._quiet:
            self._console.print(f"[{100 * self._done / self._total:3.0f}%, {self._left} left] {text}")

    def _view(self) -> RenderableType:
        share = self._done / self._total
        elapsed = timedelta(seconds=round(time.monotonic() - self._started))
        left = f", {self._left} left" if self._done else ""
        head = Table.grid(padding=(0, 1))
        head.add_row(
            f"{100 * share:3.0f}%", ProgressBar(completed=100 * share, width=BAR_WIDTH), f"{elapsed} done{left}"
        )
        counts = {
            **self._counts,
            "running": len(self._running),
            "to do": self._cells - sum(self._counts.values()) - len(self._running),
        }
        words = [f"{count} {name}" for name, count in counts.items() if count or name == "done"]
        cells = Table.grid(padding=(0, 2))
        for running in self._running.values():
            cells.add_row(" ", running.name, running.where)
        last = [Text(f"last: {self._last}", overflow="ellipsis", no_wrap=True)] if self._last else []
        return Group(head, Text(" · ".join([*words, *_gpu_memory()])), cells, *last)


@dataclass(kw_only=True)
class _RunningCell:
    """Progress of one cell: "train" is its last stage; every earlier stage counts for half of what is then left."""

    name: str
    seconds: float
    """Estimated seconds of the cell."""
    where: str = "starting"
    _stage: str = ""
    _start: float = 0.0
    _reached: float = 0.0

    @property
    def done(self) -> float:
        """Estimated seconds of what is done."""
        return self._reached * self.seconds

    def step(self, progress: Progress) -> None:
        """Update the progress after a step."""
        if progress.stage != self._stage:
            self._stage, self._start = progress.stage, self._reached
        width = (1 - self._start) * (1.0 if progress.stage == "train" else 0.5)
        self._reached = self._start + width * progress.step / progress.steps
        loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
        self.where = f"{progress.stage} step {progress.step}/{progress.steps}{loss}"


def _gpu_memory() -> list[str]:
    """Used and total memory of this process's GPU; empty without a GPU."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return []
    free, total = torch.cuda.mem_get_info()
    return [f"GPU memory {(total - free) / 1e9:.1f} of {total / 1e9:.1f} GB"]
