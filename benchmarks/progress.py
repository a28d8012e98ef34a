"""How far a run is: one bar over all cells in a terminal, now and then a line elsewhere."""

import shutil
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TextIO

from tqdm import tqdm

from autolora.runtime import Progress
from benchmarks.plan import PlannedCell
from benchmarks.result import Result

LINE_SECONDS = 60.0
"""At most this often a cell tells its step where there is no terminal."""


class RunProgress:
    """Shown on stderr, in units of the plan's estimated seconds."""

    def __init__(self, plan: Sequence[PlannedCell], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        size = shutil.get_terminal_size((100, 24))
        self._total = sum(planned.seconds for planned in plan if not planned.done) or 1.0
        self._bar = tqdm(
            total=self._total,
            bar_format="{percentage:3.0f}% |{bar:20}| {elapsed} done, {remaining} left | {desc}",
            smoothing=0,  # the mean rate over the whole run mends the estimates as they come true
            ncols=size.columns,
            nrows=size.lines,
            file=self._stream,
            disable=None,  # where there is no terminal
        )
        self._started = self._told = time.monotonic()
        self._finished = self._shown = 0.0
        self._running: dict[str, _RunningCell] = {}

    def begin(self, planned: PlannedCell) -> None:
        """A cell begins."""
        self._running[planned.cell.identity] = _RunningCell(planned.seconds)
        self._bar.set_description_str(planned.cell.name)

    def step(self, planned: PlannedCell, progress: Progress) -> None:
        """A step is done in a cell that runs."""
        self._running[planned.cell.identity].step(progress)
        loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
        text = f"{planned.cell.name}, {progress.stage} step {progress.step}/{progress.steps}{loss}"
        self._show(text)
        if self._bar.disable and time.monotonic() - self._told >= LINE_SECONDS:
            self._line(text)

    def end(self, planned: PlannedCell, result: Result) -> None:
        """A cell that ran is finished or failed."""
        del self._running[planned.cell.identity]
        self._finished += planned.seconds
        if result.status == "failed":
            text = f"FAILED: {result.reason}"
        else:
            text = f"{result.metric} {'undefined' if result.score is None else f'{result.score:.1f}'}"
        self._show(f"{planned.cell.name}: {text}")
        if self._bar.disable or result.status == "failed":
            self._line(f"{planned.cell.name}: {text}, {result.seconds['total']:.0f} s")

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.close()

    def _show(self, text: str) -> None:
        done = self._finished + sum(cell.done for cell in self._running.values())
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(done - self._shown)
        self._shown = done

    def _line(self, text: str) -> None:
        self._told = time.monotonic()
        left = (self._told - self._started) * (self._total - self._shown) / max(self._shown, 1e-9)
        line = f"[{100 * self._shown / self._total:3.0f}%, {timedelta(seconds=round(left))} left] {text}"
        tqdm.write(line, file=self._stream)


class _RunningCell:
    """How much of a cell is done: training comes last, any stage before it takes half of what is left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stage = ""
        self._start = self._reached = 0.0

    @property
    def done(self) -> float:
        """Of its estimated seconds."""
        return self._reached * self._seconds

    def step(self, progress: Progress) -> None:
        """A step is done."""
        if progress.stage != self._stage:
            self._stage, self._start = progress.stage, self._reached
        width = (1 - self._start) * (1.0 if progress.stage == "train" else 0.5)
        self._reached = self._start + width * progress.step / progress.steps
