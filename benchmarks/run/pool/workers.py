"""Several processes of this machine that run cells."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator
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
from benchmarks.run.pool.dispatch import Lost, Message
from benchmarks.run.runner import fail_cell, run_cell
from benchmarks.store.result import Result
from benchmarks.store.store import Store

START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""Workers are forked from a process that has imported everything and computed nothing."""
POLL_SECONDS = 0.2
"""How soon a wish to stop is passed on while no worker says anything."""


@dataclass
class _Worker:
    """A process that runs one cell after the other."""

    process: BaseProcess
    messages: "Connection[Any, Any]"
    planned: PlannedCell | None = None
    """What it runs now; None: it waits for an order."""

    def receive(self) -> Message:
        """What the worker says, or that it has ended."""
        try:
            message: Message = self.messages.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Lost(f"its process ended with exit status {self.process.exitcode}")
        return message


@dataclass(frozen=True)
class _Order:
    """What a worker is to do."""

    cell: Cell
    given_up: str | None = None
    """Why the cell is only to be kept as failed; None: it is to be run."""


class Workers:
    """Processes that each run one cell after the other; a pool of `dispatch`."""

    def __init__(self, plan: Iterable[PlannedCell], store: Store, *, workers: int, threads: int) -> None:
        """Of nothing yet: a process is started when a cell needs it.

        Args:
            plan: the cells; what they are implemented by is imported once for all processes.
            store: where results and checkpoints are.
            workers: how many processes there are at most.
            threads: of each.
        """
        self._context: Any = multiprocessing.get_context(START_METHOD)  # its declared type has no Process
        self._context.set_forkserver_preload([__name__, *_modules(plan)])
        self._stop = self._context.Event()
        self._store = store
        self._most = workers
        self._threads = threads
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()

    def room(self, _: Cell) -> int:
        """How many cells run at the same time."""
        return self._most

    def stop(self) -> None:
        """Tell all workers to write a checkpoint and to end."""
        self._stop.set()

    def start(self, planned: PlannedCell, given_up: str | None) -> bool:
        """Give a cell to a worker that has none, or to a new one."""
        idle = (worker for worker in self._workers if not worker.planned and worker.process.is_alive())
        worker = next(idle, None) or self._hire()
        worker.planned = planned
        with suppress(BrokenPipeError):  # it was killed just now: `listen` will hear of it
            worker.messages.send(_Order(planned.cell, given_up))
        return True

    def listen(self) -> Iterator[tuple[PlannedCell, Message]]:
        """Wait a little for what the workers say."""
        working = [worker for worker in self._workers if worker.planned]
        speaking = wait([worker.messages for worker in working], POLL_SECONDS)
        for worker in [worker for worker in working if worker.messages in speaking]:
            planned, message = worker.planned, worker.receive()
            assert planned
            if not isinstance(message, Progress):
                worker.planned = None
            if isinstance(message, Lost):
                self._workers.remove(worker)
            yield planned, message

    def _hire(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(self._store, self._threads, theirs, self._stop), daemon=True
        )
        process.start()
        theirs.close()  # the worker's is the last one: the pipe ends with it
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]


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
