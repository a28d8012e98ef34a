"""Runs the cells of a plan in several processes of this machine, a new process for each cell."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from multiprocessing.synchronize import Event
from typing import Any, Self

from autolora.runtime import Interrupted, Progress
from benchmarks import registry
from benchmarks.materials import open_materials
from benchmarks.plan import Cell, PlannedCell
from benchmarks.progress import RunProgress
from benchmarks.result import Result
from benchmarks.run import next_cell, run_cell
from benchmarks.schedule import in_order, is_ready
from benchmarks.spec import InputError
from benchmarks.stopping import StopOnSignal
from benchmarks.store import Store

START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""Workers are forked from a process that has imported everything and computed nothing."""
POLL_SECONDS = 0.2
"""How soon a wish to stop is passed on while no worker says anything."""


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
        InputError: the store cannot be written, data or backbone have gone, or a worker was killed.
    """
    store.check_writable()
    results = {planned.cell.identity: planned.result for planned in plan if planned.done and planned.result}
    to_do = {planned.cell.identity: planned for planned in plan if not planned.done}
    waiting = in_order(to_do.values())
    with _Crew(store, threads, progress, _modules(plan)) as crew:
        while crew.working or (waiting and not crew.stopped):
            while len(crew.working) < workers and not crew.stopped:
                able = [planned for planned in waiting if is_ready(planned, to_do, results)]
                if not able:
                    break
                ready = next_cell(able, store) or able[0]
                waiting.remove(ready)
                crew.start(ready)
            if not crew.working:
                break  # what is left waits for a cell that was lost
            for result in crew.listen():
                results[result.identity] = result
            if stop():
                crew.stop()
    if crew.errors:
        raise crew.errors[0]
    if crew.lost:
        raise InputError("\n".join([*crew.lost, "the other cells are kept; fewer --workers need less memory"]))
    if left := len(to_do.keys() - results.keys()):
        raise Interrupted(f"stopped with {left} of {len(plan)} cells to do")
    return [results[planned.cell.identity] for planned in plan]


@dataclass(frozen=True)
class _Worker:
    planned: PlannedCell
    process: BaseProcess
    messages: "Connection[Any, Any]"

    def receive(self) -> Progress | Result | Exception | None:
        """What the worker says; None: it has ended."""
        try:
            message: Progress | Result | Exception = self.messages.recv()
        except EOFError:
            return None
        return message


class _Crew:
    """The workers of a run; none of them outlives the `with` block."""

    def __init__(self, store: Store, threads: int, progress: RunProgress, modules: Iterable[str]) -> None:
        self._context: Any = multiprocessing.get_context(START_METHOD)  # its declared type has no Process
        self._context.set_forkserver_preload([__name__, *modules])
        self._stop = self._context.Event()
        self._store = store
        self._threads = threads
        self._progress = progress
        self.working: list[_Worker] = []
        self.errors: list[Exception] = []
        """Why the run cannot go on."""
        self.lost: list[str] = []
        """Workers that ended without a word."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for worker in self.working:
            worker.process.kill()
            worker.process.join()

    @property
    def stopped(self) -> bool:
        """Whether no cell is to be started any more."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tell all workers to write a checkpoint and to end."""
        self._stop.set()

    def start(self, planned: PlannedCell) -> None:
        """Give a cell to a new worker."""
        ours, theirs = self._context.Pipe(duplex=False)
        arguments = (planned.cell, self._store, self._threads, theirs, self._stop)
        process = self._context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()  # the worker's is the last one: the pipe ends with it
        self.working.append(_Worker(planned, process, ours))
        self._progress.begin(planned)

    def listen(self) -> Iterator[Result]:
        """Wait a little for what the workers say; yields the results among it."""
        speaking = wait([worker.messages for worker in self.working], POLL_SECONDS)
        for worker in [worker for worker in self.working if worker.messages in speaking]:
            message = worker.receive()
            if isinstance(message, Progress):
                self._progress.step(worker.planned, message)
                continue
            self.working.remove(worker)
            worker.process.join()
            if isinstance(message, Result):
                self._progress.end(worker.planned, message)
                yield message
            elif message is None:
                name, status = worker.planned.cell.name, worker.process.exitcode
                self.lost.append(f"{name}: its process ended with exit status {status}")
            else:
                self.stop()
                self.errors += [] if isinstance(message, Interrupted) else [message]


def _modules(plan: Iterable[PlannedCell]) -> set[str]:
    """Where the tasks and methods of a plan are implemented."""
    return {
        kind.__module__
        for planned in plan
        for kind in (type(registry.task(planned.cell.task)), registry.method(planned.cell.method))
    }


def _work(cell: Cell, store: Store, threads: int, messages: "Connection[Any, Any]", stopped: Event) -> None:
    """Run one cell; tell its steps, then its result or why there is none. A worker ends with its parent."""
    parent = parent_process()
    with StopOnSignal() as signals:

        def stop() -> bool:
            return signals.requested() or stopped.is_set() or not (parent and parent.is_alive())

        def tell(message: Progress | Result | Exception) -> None:
            with suppress(BrokenPipeError):  # nobody listens any more: the next question is whether to stop
                messages.send(message)

        try:
            tell(run_cell(cell, store, open_materials(threads), progress=tell, stop=stop))
        except (InputError, OSError, Interrupted) as error:
            tell(error)
        except Exception:  # noqa: BLE001  told, whatever it is
            tell(RuntimeError(f"{cell.name}\n{traceback.format_exc()}"))
        except KeyboardInterrupt:
            pass  # a second Ctrl-C, which the parent gets too
