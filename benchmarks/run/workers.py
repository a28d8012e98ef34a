"""Runs the cells of a plan in several processes of this machine."""

import multiprocessing
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from multiprocessing.synchronize import Event
from typing import Any, Self

from autolora.compute.runtime import Interrupted, Progress
from benchmarks.core import registry
from benchmarks.core.spec import InputError
from benchmarks.core.stopping import StopOnSignal
from benchmarks.run.cache import Materials, open_materials
from benchmarks.run.plan import Cell, PlannedCell
from benchmarks.run.progress import RunProgress
from benchmarks.run.runner import fail_cell, run_cell
from benchmarks.run.schedule import (
    MOST_LOSSES,
    in_order,
    is_ready,
    left_of,
    next_cell,
    results_at_hand,
    results_in_order,
)
from benchmarks.store.result import Result
from benchmarks.store.store import Store

START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""Workers are forked from a process that has imported everything and computed nothing."""
POLL_SECONDS = 0.2
"""How soon a wish to stop is passed on while no worker says anything."""
KILLED = f"its process was killed {MOST_LOSSES} times; where memory is short, fewer --workers need less"


def run_in_workers(
    plan: Sequence[PlannedCell],
    store: Store,
    *,
    workers: int,
    threads: int,
    progress: RunProgress,
    stop: Callable[[], bool],
) -> list[Result]:
    """Run what is not done, the longest cells first; a cell that fails is kept as failed, and the others go on.

    Args:
        plan: the cells.
        store: where results and checkpoints are.
        workers: cells at the same time.
        threads: of each worker.
        progress: told of every cell's steps.
        stop: once it answers True, all workers write their checkpoints and end.

    Returns:
        One result per cell of the plan, in its order.

    Raises:
        Interrupted: stop answered True, or a worker was told to stop; the next run goes on from there.
        InputError: the store cannot be written, data or backbone have gone, or workers are killed whatever they do.
    """
    store.check_writable()
    results, to_do = results_at_hand(plan), left_of(plan)
    waiting = in_order(to_do.values())
    with _Workers(store, threads, progress, _modules(plan)) as pool:
        while pool.working or (waiting and not pool.stopped):
            while len(pool.working) < workers and not pool.stopped:
                ready = _take([planned for planned in waiting if is_ready(planned, to_do, results)], waiting, store)
                if not ready:
                    break
                pool.start(ready)
            if not pool.working:
                break  # what is left waits for a cell that was lost
            for planned, result in pool.listen():
                if result:
                    results[planned.cell.identity] = result
                else:
                    waiting.append(planned)
            if stop():
                pool.stop()
    pool.raise_errors()
    return results_in_order(plan, results)


@dataclass
class _Worker:
    """A process that runs one cell after the other."""

    process: BaseProcess
    messages: "Connection[Any, Any]"
    planned: PlannedCell | None = None
    """What it runs now; None: it waits for an order."""

    def receive(self) -> Progress | Result | Exception | None:
        """What the worker says; None: it has ended."""
        try:
            message: Progress | Result | Exception = self.messages.recv()
        except (EOFError, ConnectionResetError):
            return None
        return message


@dataclass(frozen=True)
class _Order:
    """What a worker is to do."""

    cell: Cell
    given_up: str | None = None
    """Why the cell is only to be kept as failed; None: it is to be run."""


class _Workers:
    """The workers of a run; none of them outlives the `with` block."""

    def __init__(self, store: Store, threads: int, progress: RunProgress, modules: Iterable[str]) -> None:
        self._context: Any = multiprocessing.get_context(START_METHOD)  # its declared type has no Process
        self._context.set_forkserver_preload([__name__, *modules])
        self._stop = self._context.Event()
        self._store = store
        self._threads = threads
        self._progress = progress
        self._workers: list[_Worker] = []
        self._deaths: Counter[str] = Counter()
        self._errors: list[Exception] = []
        """Why the run cannot go on."""
        self._lost: list[str] = []
        """Cells of which not even a failure could be kept."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()

    @property
    def working(self) -> list[_Worker]:
        """Those that run a cell."""
        return [worker for worker in self._workers if worker.planned]

    @property
    def stopped(self) -> bool:
        """Whether no cell is to be started any more."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tell all workers to write a checkpoint and to end."""
        self._stop.set()

    def raise_errors(self) -> None:
        """Raise why the run could not go on, or which cells were lost."""
        if self._errors:
            raise self._errors[0]
        if self._lost:
            raise InputError("\n".join([*self._lost, "the other cells are kept; fewer --workers need less memory"]))

    def start(self, planned: PlannedCell) -> None:
        """Give a cell to a worker that has none, or to a new one."""
        idle = (worker for worker in self._workers if not worker.planned and worker.process.is_alive())
        worker = next(idle, None) or self._hire()
        worker.planned = planned
        deaths = self._deaths[planned.cell.identity]
        with suppress(BrokenPipeError):  # it was killed just now: `listen` will hear of it
            worker.messages.send(_Order(planned.cell, KILLED if deaths >= MOST_LOSSES else None))
        self._progress.begin(planned)

    def listen(self) -> Iterator[tuple[PlannedCell, Result | None]]:
        """Wait a little for what the workers say; yields cells and their results, None where one has to run again."""
        speaking = wait([worker.messages for worker in self.working], POLL_SECONDS)
        for worker in [worker for worker in self.working if worker.messages in speaking]:
            planned, message = worker.planned, worker.receive()
            assert planned
            if isinstance(message, Progress):
                self._progress.step(planned, message)
            elif isinstance(message, Result):
                worker.planned = None
                self._progress.end(planned, message)
                yield planned, message
            elif message is not None:
                worker.planned = None
                self.stop()
                self._errors += [] if isinstance(message, Interrupted) else [message]
            elif self._bury(worker, planned):
                yield planned, None

    def _hire(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(self._store, self._threads, theirs, self._stop), daemon=True
        )
        process.start()
        theirs.close()  # the worker's is the last one: the pipe ends with it
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _bury(self, worker: _Worker, planned: PlannedCell) -> bool:
        """A worker was killed; returns whether its cell has another chance, from its checkpoint on or to be failed."""
        self._workers.remove(worker)
        worker.process.join()
        self._progress.drop(planned)
        self._deaths[planned.cell.identity] += 1
        if self._deaths[planned.cell.identity] <= MOST_LOSSES:
            return True
        self._lost.append(f"{planned.cell.name}: its process ended with exit status {worker.process.exitcode}")
        return False


def _take(able: Sequence[PlannedCell], waiting: list[PlannedCell], store: Store) -> PlannedCell | None:
    """Take one of the cells that can run off those that wait; None: there is none."""
    taken = next_cell(able, store) or next(iter(able), None)
    if taken:
        waiting.remove(taken)
    return taken


def _modules(plan: Iterable[PlannedCell]) -> set[str]:
    """Where the tasks and methods of a plan are implemented."""
    return {
        kind.__module__
        for planned in plan
        for kind in (type(registry.task(planned.cell.task)), registry.method(planned.cell.method))
    }


def _work(store: Store, threads: int, messages: "Connection[Any, Any]", stopped: Event) -> None:
    """Run cell after cell; tell each one's steps, then its result or why there is none. A worker ends with its parent."""
    parent = parent_process()
    with StopOnSignal() as signals:

        def stop() -> bool:
            return signals.requested() or stopped.is_set() or not (parent and parent.is_alive())

        def tell(message: Progress | Result | Exception) -> None:
            with suppress(BrokenPipeError):  # nobody listens any more: the next question is whether to stop
                messages.send(message)

        with suppress(KeyboardInterrupt):  # a second Ctrl-C, which the parent gets too
            materials = open_materials(threads)
            while order := _next_order(messages, stop):
                tell(_carry_out(order, store, materials, progress=tell, stop=stop))


def _next_order(messages: "Connection[Any, Any]", stop: Callable[[], bool]) -> _Order | None:
    """Wait for it; None: there will be no other."""
    while not messages.poll(POLL_SECONDS):
        if stop():
            return None
    try:
        order: _Order = messages.recv()
    except EOFError:
        return None
    return order


def _carry_out(
    order: _Order,
    store: Store,
    materials: Materials,
    *,
    progress: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> Result | Exception:
    """The cell's result, or why there is none."""
    try:
        if order.given_up:
            return fail_cell(order.cell, store, materials, order.given_up, stop=stop)
        return run_cell(order.cell, store, materials, progress=progress, stop=stop)
    except (InputError, OSError, Interrupted) as error:
        return error
    except Exception:  # noqa: BLE001  told, whatever it is
        return RuntimeError(f"{order.cell.name}\n{traceback.format_exc()}")
