"""Runs the cells of a plan in a pool: worker processes of this machine, or a Ray cluster."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from autolora.compute.runtime import Interrupted, Progress
from benchmarks.core.spec import InputError
from benchmarks.run.plan import Cell, PlannedCell
from benchmarks.run.progress import RunProgress
from benchmarks.run.schedule import in_order, is_ready, left_of, next_cell, results_at_hand, results_in_order
from benchmarks.store.result import Result
from benchmarks.store.store import Store

POLL_SECONDS = 0.2
"""Time between two checks for free cells, while other runs have all cells that are left."""
MAX_LOSSES = 3
"""How often the process or node of a cell may be lost before the cell gets a failed result."""


@dataclass(frozen=True)
class Lost:
    """The process or the node of a cell was lost."""

    reason: str


Message = Progress | Result | Lost | Exception
"""A message about a cell: a step, its result, or why it has none. `Interrupted` means that it stopped on request."""


class Pool(AbstractContextManager["Pool"], Protocol):
    """Processes that run cells; all of them end with the `with` block."""

    def capacity(self, cell: Cell) -> int:
        """How many cells of this size can run concurrently. Raises InputError: none can."""

    def start(self, planned: PlannedCell, failure: str | None) -> bool:
        """Start a cell, or write a failed result where failure is a reason; False if another run has locked the cell."""

    def receive(self) -> Iterable[tuple[PlannedCell, Message]]:
        """Wait a fraction of a second for messages about the running cells."""

    def stop(self) -> None:
        """Make all running cells stop at their next step; may be called repeatedly."""


def run_in_pool(
    plan: Sequence[PlannedCell], store: Store, pool: Pool, progress: RunProgress, stop: Callable[[], bool]
) -> list[Result]:
    """Run the cells that are not done, the longest first; a cell that fails gets a failed result, and the run continues.

    Args:
        plan: the cells.
        store: folder of results and checkpoints.
        pool: runs the cells; this function enters it.
        progress: shows the steps and results of all cells.
        stop: once it returns True, all running cells are stopped.

    Returns:
        One result per cell of the plan, in the plan's order.

    Raises:
        Interrupted: stop returned True, or a cell was stopped; the next run continues from the checkpoints.
        InputError: the store is not writable, the pool has no capacity for a cell, data or a backbone are missing, or the
            processes of a cell are lost even while they write its failed result.
    """
    store.check_writable()
    dispatch = _Dispatch(plan, store, pool, progress)
    with pool:
        dispatch.check_capacity()
        while True:
            if dispatch.stopping or stop():
                dispatch.stop()
            elif dispatch.start_next():
                continue
            if dispatch.is_over():
                break
            dispatch.receive()
    dispatch.raise_errors()
    return results_in_order(plan, dispatch.results)


class _Dispatch:
    """The waiting and the running cells of a plan, and the results and errors of the cells that have ended."""

    def __init__(self, plan: Sequence[PlannedCell], store: Store, pool: Pool, progress: RunProgress) -> None:
        self.results = results_at_hand(plan)
        self.stopping = False
        self._store, self._pool, self._progress = store, pool, progress
        self._to_do = left_of(plan)
        self._waiting = in_order(self._to_do.values())
        self._running: dict[str, PlannedCell] = {}
        self._losses: dict[str, list[str]] = {}
        """Identity -> reasons, one for each time that the cell's process or node was lost."""
        self._lost: list[str] = []
        """Names of cells for which not even a failed result could be written, with the reasons."""
        self._errors: list[Exception] = []

    def check_capacity(self) -> None:
        for planned in self._waiting:
            self._pool.capacity(planned.cell)

    def start_next(self) -> bool:
        """Start the first cell that can run now; returns whether a cell was started."""
        planned = next_cell(self._ready(), self._store)
        if not planned or len(self._running) >= self._pool.capacity(planned.cell):
            return False
        if not self._pool.start(planned, self._failure(planned)):
            return False
        self._waiting.remove(planned)
        self._running[planned.cell.identity] = planned
        self._progress.begin(planned)
        return True

    def is_over(self) -> bool:
        """Whether no cell runs, and no further cell can be started."""
        return not self._running and (self.stopping or not self._ready())

    def stop(self) -> None:
        self.stopping = True
        self._pool.stop()

    def receive(self) -> None:
        """Handle the pool's messages; first wait if no cell runs, as other runs have locked all ready cells then."""
        if not self._running:
            time.sleep(POLL_SECONDS)
        for planned, message in self._pool.receive():
            if isinstance(message, Progress):
                self._progress.step(planned, message)
            else:
                del self._running[planned.cell.identity]
                self._end(planned, message)

    def raise_errors(self) -> None:
        if self._errors:
            raise self._errors[0]
        if self._lost:
            advice = "the results of the other cells are written; fewer --workers need less memory"
            raise InputError("\n".join([*self._lost, advice]))

    def _ready(self) -> list[PlannedCell]:
        return [planned for planned in self._waiting if is_ready(planned, self._to_do, self.results)]

    def _failure(self, planned: PlannedCell) -> str | None:
        """Why the cell can only get a failed result; None: it is run."""
        losses = self._losses.get(planned.cell.identity, [])
        if len(losses) < MAX_LOSSES:
            return None
        return f"{losses[-1]}, {MAX_LOSSES} times; if memory is short, fewer --workers need less"

    def _end(self, planned: PlannedCell, message: Result | Lost | Exception) -> None:
        identity = planned.cell.identity
        if isinstance(message, Result):
            self.results[identity] = message
            self._progress.end(planned, message)
            return
        self._progress.drop(planned)
        if not isinstance(message, Lost):
            self.stopping = True
            self._errors += [] if isinstance(message, Interrupted) else [message]
            return
        losses = self._losses.setdefault(identity, [])
        losses.append(message.reason)
        if len(losses) <= MAX_LOSSES:
            self._waiting.append(planned)
        else:
            self._lost.append(f"{planned.cell.name}: {message.reason}")
