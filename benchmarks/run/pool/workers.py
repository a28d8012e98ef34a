"""A pool of worker processes on this machine, each running one cell after another."""

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
"""The fork server has imported all modules, but has not computed anything with torch."""
POLL_SECONDS = 0.2
"""Time between two checks for a stop request, while no message arrives."""


@dataclass
class _Worker:
    """A worker process, as the run sees it."""

    process: BaseProcess
    messages: "Connection[Any, Any]"
    planned: PlannedCell | None = None
    """The cell that the worker runs; None: the worker is idle."""

    def receive(self) -> Message:
        """The worker's next message, or `Lost` where its process has ended."""
        try:
            message: Message = self.messages.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Lost(f"its process ended with exit status {self.process.exitcode}")
        return message


@dataclass(frozen=True)
class _WorkerTask:
    """A cell for a worker to run, or to write a failed result for."""

    cell: Cell
    failure: str | None = None
    """Reason of the failed result; None: the cell is run."""


class Workers:
    """The pool; it implements `dispatch.Pool`."""

    def __init__(self, plan: Iterable[PlannedCell], store: Store, *, workers: int, threads: int) -> None:
        """A pool without processes; each process is started when a cell needs it.

        Args:
            plan: the cells; the modules of their tasks and methods are imported once, by the fork server.
            store: folder of results and checkpoints.
            workers: largest number of processes.
            threads: number of threads of each process.
        """
        self._context: Any = multiprocessing.get_context(START_METHOD)  # its declared type has no Process
        self._context.set_forkserver_preload([__name__, *_modules(plan)])
        self._stop = self._context.Event()
        self._store = store
        self._max_workers = workers
        self._threads = threads
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()

    def capacity(self, _: Cell) -> int:
        """How many cells can run concurrently."""
        return self._max_workers

    def stop(self) -> None:
        """Make all workers write a checkpoint and end."""
        self._stop.set()

    def start(self, planned: PlannedCell, failure: str | None) -> bool:
        """Send a cell to an idle worker, or to a new worker."""
        idle = (worker for worker in self._workers if not worker.planned and worker.process.is_alive())
        worker = next(idle, None) or self._start_worker()
        worker.planned = planned
        with suppress(BrokenPipeError):  # the worker has just been killed: `receive` returns Lost
            worker.messages.send(_WorkerTask(planned.cell, failure))
        return True

    def receive(self) -> Iterator[tuple[PlannedCell, Message]]:
        """Wait up to POLL_SECONDS for messages of the workers."""
        busy = [worker for worker in self._workers if worker.planned]
        readable = wait([worker.messages for worker in busy], POLL_SECONDS)
        for worker in [worker for worker in busy if worker.messages in readable]:
            planned, message = worker.planned, worker.receive()
            assert planned
            if not isinstance(message, Progress):
                worker.planned = None
            if isinstance(message, Lost):
                self._workers.remove(worker)
            yield planned, message

    def _start_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(self._store, self._threads, theirs, self._stop), daemon=True
        )
        process.start()
        theirs.close()  # only the worker's copy stays open: the pipe closes when the worker ends
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]


def _modules(plan: Iterable[PlannedCell]) -> set[str]:
    """Names of the modules that implement the tasks and methods of a plan."""
    return {
        kind.__module__
        for planned in plan
        for kind in (type(registry.task(planned.cell.task)), registry.method(planned.cell.method))
    }


def _work(store: Store, threads: int, messages: "Connection[Any, Any]", stopped: Event) -> None:
    """Run one cell after another; send the steps of each, then its result or its error. Ends with the parent process."""
    parent = parent_process()
    with StopOnSignal() as signals:

        def stop() -> bool:
            return signals.requested() or stopped.is_set() or not (parent and parent.is_alive())

        def send(message: Progress | Result | Exception) -> None:
            with suppress(BrokenPipeError):  # the parent has ended: `stop` returns True next
                messages.send(message)

        with suppress(KeyboardInterrupt):  # a second Ctrl-C, which the parent receives too
            materials = open_materials(threads)
            while task := _next_task(messages, stop):
                send(_run_task(task, store, materials, progress=send, stop=stop))


def _next_task(messages: "Connection[Any, Any]", stop: Callable[[], bool]) -> _WorkerTask | None:
    """Wait for the next task; None: the worker shall end."""
    while not messages.poll(POLL_SECONDS):
        if stop():
            return None
    try:
        task: _WorkerTask = messages.recv()
    except EOFError:
        return None
    return task


def _run_task(
    task: _WorkerTask,
    store: Store,
    materials: Materials,
    *,
    progress: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> Result | Exception:
    """The cell's result, or the error that prevented one."""
    try:
        if task.failure:
            return fail_cell(task.cell, store, materials, task.failure, stop=stop)
        return run_cell(task.cell, store, materials, progress=progress, stop=stop)
    except (InputError, OSError, Interrupted) as error:
        return error
    except Exception:  # noqa: BLE001  every error is sent to the parent
        return RuntimeError(f"{task.cell.name}\n{traceback.format_exc()}")
