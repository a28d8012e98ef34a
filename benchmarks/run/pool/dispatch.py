"""Runs the cells of a plan in a pool: several processes of this machine, or a cluster."""

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
"""How often the cells that other runs have are looked at, while this run has none."""
MOST_LOSSES = 3
"""How often a cell may lose its process or its node before it is kept as failed."""


@dataclass(frozen=True)
class Lost:
    """The process or the node of a cell has gone."""

    reason: str


Message = Progress | Result | Lost | Exception
"""What is heard of a cell: one of its steps, or how it ended. `Interrupted` means that it was told to stop."""


class Pool(AbstractContextManager["Pool"], Protocol):
    """Where cells run; nothing of it outlives its `with` block."""

    def room(self, cell: Cell) -> int:
        """How many cells of this size can run at the same time. Raises InputError: none."""

    def start(self, planned: PlannedCell, given_up: str | None) -> bool:
        """Begin a cell, or, with a reason, keep it as failed; False where another run on the store has it."""

    def listen(self) -> Iterable[tuple[PlannedCell, Message]]:
        """Wait a fraction of a second for messages of the cells that run."""

    def stop(self) -> None:
        """Ask all cells that run to end at their next step; may be called again."""


def run_in_pool(
    plan: Sequence[PlannedCell], store: Store, pool: Pool, progress: RunProgress, stop: Callable[[], bool]
) -> list[Result]:
    """Run what is not done, the longest cells first; a cell that fails is kept as failed, and the others go on.

    Args:
        plan: the cells.
        store: where results and checkpoints are.
        pool: runs them; it is entered here.
        progress: told of every cell's steps.
        stop: once it answers True, all cells are asked to stop.

    Returns:
        One result per cell of the plan, in its order.

    Raises:
        Interrupted: stop answered True, or a cell was told to stop; the next run goes on from there.
        InputError: the store cannot be written, there is no room for a cell, data or backbone have gone, or the processes
            of a cell are lost whatever they do.
    """
    store.check_writable()
    dispatch = _Dispatch(plan, store, pool, progress)
    with pool:
        dispatch.check_room()
        while True:
            if dispatch.stopping or stop():
                dispatch.stop()
            elif dispatch.start_next():
                continue
            if dispatch.is_over():
                break
            dispatch.listen()
    dispatch.raise_errors()
    return results_in_order(plan, dispatch.results)


class _Dispatch:
    """Which cells wait, which run, and what has become of the others."""

    def __init__(self, plan: Sequence[PlannedCell], store: Store, pool: Pool, progress: RunProgress) -> None:
        self.results = results_at_hand(plan)
        self.stopping = False
        self._store, self._pool, self._progress = store, pool, progress
        self._to_do = left_of(plan)
        self._waiting = in_order(self._to_do.values())
        self._running: dict[str, PlannedCell] = {}
        self._losses: dict[str, list[str]] = {}
        """Identity -> why the cell's process or node was lost, each time."""
        self._lost: list[str] = []
        """Cells of which not even a failure could be kept."""
        self._errors: list[Exception] = []

    def check_room(self) -> None:
        for planned in self._waiting:
            self._pool.room(planned.cell)

    def start_next(self) -> bool:
        """Start the first cell that can run now; returns whether there was one."""
        able = self._able()
        planned = next_cell(able, self._store)
        if not planned or len(self._running) >= self._pool.room(planned.cell):
            return False
        if not self._pool.start(planned, self._given_up(planned)):
            return False
        self._waiting.remove(planned)
        self._running[planned.cell.identity] = planned
        self._progress.begin(planned)
        return True

    def is_over(self) -> bool:
        """Whether nothing runs, and nothing more can be started."""
        return not self._running and (self.stopping or not self._able())

    def stop(self) -> None:
        self.stopping = True
        self._pool.stop()

    def listen(self) -> None:
        """Take in what the pool has heard; where nothing runs, other runs have all cells that are left."""
        if not self._running:
            time.sleep(POLL_SECONDS)
        for planned, message in self._pool.listen():
            if isinstance(message, Progress):
                self._progress.step(planned, message)
            else:
                del self._running[planned.cell.identity]
                self._end(planned, message)

    def raise_errors(self) -> None:
        if self._errors:
            raise self._errors[0]
        if self._lost:
            raise InputError("\n".join([*self._lost, "the other cells are kept; fewer --workers need less memory"]))

    def _able(self) -> list[PlannedCell]:
        return [planned for planned in self._waiting if is_ready(planned, self._to_do, self.results)]

    def _given_up(self, planned: PlannedCell) -> str | None:
        losses = self._losses.get(planned.cell.identity, [])
        if len(losses) < MOST_LOSSES:
            return None
        return f"{losses[-1]}, {MOST_LOSSES} times; where memory is short, fewer --workers need less"

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
        if len(losses) <= MOST_LOSSES:
            self._waiting.append(planned)
        else:
            self._lost.append(f"{planned.cell.name}: {message.reason}")
