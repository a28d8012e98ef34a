"""The processes that cost measurements run in: one per method, each waiting for requests from the measuring command."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from autolora.compute.runtime import NonFiniteLossError, TimingRun
from benchmarks.core.spec import InputError
from benchmarks.measure.cost_turn import profile_steps, take_turn
from benchmarks.run.cache import open_materials
from benchmarks.run.plan import Cell
from benchmarks.run.pool.workers import START_METHOD
from benchmarks.store.store import Store

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_PROFILE = "profile"
"""The request to profile the method's steps; any other request is the number of the round to measure."""


@dataclass(frozen=True)
class MeasuringProcess:
    """One method's process, as the measuring command sees it."""

    process: BaseProcess
    messages: "Connection[Any, Any]"

    def start_profiling(self) -> None:
        """Request the method's profile; do not wait for it."""
        self._request(_PROFILE)

    def start_turn(self, number: int) -> None:
        """Request one round; do not wait for its measurement."""
        self._request(number)

    def result(self) -> Any:
        """Wait for the result of the last request.

        Raises:
            InputError: the method cannot be measured, or the process has ended.
        """
        try:
            result = self.messages.recv()
        except (EOFError, ConnectionError) as error:
            self.process.join()
            raise InputError(
                "a measuring process was killed; take fewer --methods, or a machine with more memory"
                if (self.process.exitcode or 0) < 0  # minus the number of the signal that killed it
                else "a measuring process ended with the unexpected error that is shown above: this is a bug"
            ) from error
        if isinstance(result, Exception):
            raise InputError(str(result)) from result
        return result

    def _request(self, request: str | int) -> None:
        with suppress(ConnectionError):  # the process has ended: `result` raises the error
            self.messages.send(request)


@contextmanager
def measuring_processes(
    by_method: Sequence[Sequence[Cell]], store: Store, timing_run: TimingRun | None, threads: int
) -> Iterator[list[MeasuringProcess]]:
    """Start one process per method; all of them end with the block."""
    context: Any = multiprocessing.get_context(START_METHOD)
    context.set_forkserver_preload([__name__])
    processes = []
    try:
        for cells in by_method:
            ours, theirs = context.Pipe()
            arguments = (cells, store, timing_run, threads, theirs)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            processes.append(MeasuringProcess(process, ours))
        yield processes
    finally:
        for measuring in processes:
            measuring.messages.close()
            measuring.process.terminate()
            measuring.process.join()


def _serve(
    cells: Sequence[Cell], store: Store, timing_run: TimingRun | None, threads: int, messages: "Connection[Any, Any]"
) -> None:
    """Answer requests until the connection is closed; only the parent process handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    materials = open_materials(threads)
    while True:
        try:
            request = messages.recv()
        except EOFError:
            return
        try:
            if isinstance(request, int):
                messages.send(take_turn(cells[request], materials, store, timing_run))
            else:
                messages.send(profile_steps(cells[0], materials, store))
        except (InputError, ValueError, RuntimeError, ImportError, NonFiniteLossError) as error:
            messages.send(InputError(f"{cells[0].task} {cells[0].method}: {error}"))
