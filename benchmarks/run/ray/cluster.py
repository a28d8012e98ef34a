"""A pool that runs each cell as a task of a Ray cluster, and writes the returned files into this machine's store."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

from autolora.compute.runtime import Interrupted, Progress
from benchmarks.core.locks import held
from benchmarks.core.spec import InputError
from benchmarks.run.cache import Materials
from benchmarks.run.plan import Cell, PlannedCell
from benchmarks.run.pool.dispatch import Lost, Message
from benchmarks.run.ray.node import FinishedCell, RefusedCell, RemoteCellTask, run_remote_cell
from benchmarks.run.runner import fail_cell
from benchmarks.run.saving import model_card
from benchmarks.store.result import Result
from benchmarks.store.store import Store, write_atomically

POLL_SECONDS = 0.2
"""Longest wait for messages of the tasks."""
STOP_SECONDS = 60.0
"""How long a cancelled cell may take until its next step; after this time its process is killed."""


@dataclass
class _Running:
    """A cell that runs on the cluster."""

    planned: PlannedCell
    messages: Any
    """Ray's generator of references to the task's messages."""
    lock: ExitStack
    """The lock that keeps other runs on this store from running the cell."""


def resources(cell: Cell, threads: int) -> dict[str, int]:
    """Ray resources that a cell requires of a node."""
    return {"CPU": threads} | ({"GPU": 1} if cell.environment.device == "cuda" else {})


class RemoteCells:
    """The pool; it implements `dispatch.Pool`."""

    def __init__(self, ray: Any, store: Store, *, workers: int, threads: int, materials: Materials) -> None:
        """A pool without tasks.

        Args:
            ray: the package, as `connection.connect` yields it.
            store: folder of results, on this machine.
            workers: largest number of concurrent cells; the cluster may have capacity for fewer.
            threads: threads of each cell, and the number of CPUs that it requires.
            materials: cache, for writing failed results on this machine.
        """
        self._ray = ray
        self._store = store
        self._max_cells = workers
        self._threads = threads
        self._materials = materials
        self._without_task: list[tuple[PlannedCell, Result]] = []
        """Results that were available without running a task."""
        self._running: list[_Running] = []
        self._deadline: float | None = None
        """When cancelled tasks that still run are killed; None until `stop` is called."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        while self._running:
            for _message in self.receive():
                pass

    def capacity(self, cell: Cell) -> int:
        """How many such cells an idle cluster could run concurrently. Raises InputError: no node can run one."""
        required = resources(cell, self._threads)
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        cells = sum(min(int(node.get(name, 0) // number) for name, number in required.items()) for node in nodes)
        if not cells:
            raise InputError(
                f"no node of the cluster has the resources that {cell.name} requires, {required}; "
                "the number of threads is that of this machine's cores, unless OMP_NUM_THREADS sets it"
            )
        return min(cells, self._max_cells)

    def start(self, planned: PlannedCell, failure: str | None) -> bool:
        """Send a cell to the cluster, unless another run has locked it, or has finished it in the meantime."""
        folder = planned.cell.folder(self._store)
        with ExitStack() as lock:
            try:
                lock.enter_context(held(folder.path, lambda: True))
            except Interrupted:
                return False
            known = folder.result()
            if known and known.status == "done":
                self._without_task.append(
                    (planned, replace(known, preset=planned.cell.preset, protocol=planned.cell.protocol))
                )
            elif failure:
                lock.close()
                failed = fail_cell(planned.cell, self._store, self._materials, failure, stop=lambda: True)
                self._without_task.append((planned, failed))
            else:
                self._running.append(_Running(planned, self._submit(planned.cell), lock.pop_all()))
        return True

    def stop(self) -> None:
        """Cancel all tasks."""
        if self._deadline is None:
            self._deadline = time.monotonic() + STOP_SECONDS
            for running in self._running:
                self._ray.cancel(running.messages)

    def receive(self) -> Iterator[tuple[PlannedCell, Message]]:
        """Wait up to POLL_SECONDS for messages of the tasks."""
        while self._without_task:
            yield self._without_task.pop()
        if not self._running:
            return
        readable, _ = self._ray.wait([running.messages for running in self._running], timeout=POLL_SECONDS)
        if self._deadline and not readable and time.monotonic() > self._deadline:
            for running in self._running:
                self._ray.cancel(running.messages, force=True)
        for running in [running for running in self._running if running.messages in readable]:
            message = self._receive(running)
            if not isinstance(message, Progress):
                self._running.remove(running)
                running.lock.close()
            yield running.planned, message

    def _submit(self, cell: Cell) -> Any:
        required = resources(cell, self._threads)
        remote = self._ray.remote(
            num_cpus=required["CPU"],
            num_gpus=required.get("GPU", 0),
            num_returns="streaming",
            max_retries=0,  # `dispatch` restarts lost cells, and counts how often each was lost
            max_calls=0,  # the process stays, so that the next cell finds weights and data in its cache
        )(run_remote_cell)
        needed = cell.needs.folder(self._store).result() if cell.needs else None
        return remote.remote(RemoteCellTask(cell=cell, threads=self._threads, needed=needed))

    def _receive(self, running: _Running) -> Message:
        """The next message of a task; the files of a finished cell are written first."""
        exceptions, cell = self._ray.exceptions, running.planned.cell
        try:
            message: Progress | FinishedCell | RefusedCell = self._ray.get(next(running.messages))
        except (StopIteration, exceptions.RayError) as error:
            return self._message_of_error(error, cell)
        if isinstance(message, FinishedCell):
            return self._write(cell, message)
        if isinstance(message, RefusedCell):
            return InputError(f"{cell.name}, {message.reason}")
        return message

    def _message_of_error(self, error: Exception, cell: Cell) -> Message:
        """The message about a task that has ended without a result."""
        exceptions = self._ray.exceptions
        if self._deadline is None and isinstance(error, exceptions.RayTaskError):
            return RuntimeError(f"{cell.name}\n{error}")
        if isinstance(error, exceptions.RuntimeEnvSetupError):
            return InputError(f"{cell.name}: a node cannot set up the code: {error}")
        return Lost(f"its process or node was lost ({type(error).__name__})")

    def _write(self, cell: Cell, finished: FinishedCell) -> Result:
        """Write a cell's files into its folder, the result last."""
        folder = cell.folder(self._store)
        for name, content in finished.files.items():
            write_atomically(folder.path / name, content)
        if (adapter := folder.path / "adapter").is_dir():
            model_card(finished.result, adapter).save(adapter / "README.md")  # the card contains the path of the folder
        folder.write_result(finished.result, {})
        return finished.result
