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
        self._finished = self._done = 0.0
        self._cell: PlannedCell | None = None
        self._stage = _Stages()

    def begin(self, planned: PlannedCell) -> None:
        """A cell begins."""
        self._cell = planned
        self._stage = _Stages()
        self._bar.set_description_str(planned.cell.name)

    def step(self, progress: Progress) -> None:
        """A step is done in the cell that runs."""
        assert self._cell is not None
        share = self._stage.share(progress)
        loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
        text = f"{self._cell.cell.name}, {progress.stage} step {progress.step}/{progress.steps}{loss}"
        self._advance(self._finished + share * self._cell.seconds, text)
        if self._bar.disable and time.monotonic() - self._told >= LINE_SECONDS:
            self._line(text)

    def end(self, result: Result) -> None:
        """The cell that ran is finished or failed."""
        assert self._cell is not None
        self._finished += self._cell.seconds
        if result.status == "failed":
            text = f"FAILED: {result.reason}"
        else:
            text = f"{result.metric} {'undefined' if result.score is None else f'{result.score:.1f}'}"
        self._advance(self._finished, f"{self._cell.cell.name}: {text}")
        if self._bar.disable or result.status == "failed":
            self._line(f"{self._cell.cell.name}: {text}, {result.seconds['total']:.0f} s")

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.close()

    def _advance(self, done: float, text: str) -> None:
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(done - self._done)
        self._done = done

    def _line(self, text: str) -> None:
        self._told = time.monotonic()
        left = (self._told - self._started) * (self._total - self._done) / max(self._done, 1e-9)
        line = f"[{100 * self._done / self._total:3.0f}%, {timedelta(seconds=round(left))} left] {text}"
        tqdm.write(line, file=self._stream)


class _Stages:
    """The share of a cell that is done: training comes last, any stage before it takes half of what is left."""

    def __init__(self) -> None:
        self._stage = ""
        self._start = self._reached = 0.0

    def share(self, progress: Progress) -> float:
        if progress.stage != self._stage:
            self._stage, self._start = progress.stage, self._reached
        width = (1 - self._start) * (1.0 if progress.stage == "train" else 0.5)
        self._reached = self._start + width * progress.step / progress.steps
        return self._reached
