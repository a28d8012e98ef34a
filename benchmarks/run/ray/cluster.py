"""Cells as tasks of a Ray cluster; what they leave comes back to this machine's store."""

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
from benchmarks.run.ray.node import Finished, Order, Refused, work
from benchmarks.run.runner import fail_cell
from benchmarks.run.saving import model_card
from benchmarks.store.result import Result
from benchmarks.store.store import Store, write_atomically

POLL_SECONDS = 0.2
STOP_SECONDS = 60.0
"""How long a cell that is cancelled may take to its next step; then its process is ended."""


@dataclass
class _Running:
    """A cell that was sent to the cluster."""

    planned: PlannedCell
    messages: Any
    """The task's generator of references to what it says."""
    lock: ExitStack
    """Keeps other runs on this store from the cell."""


def resources(cell: Cell, threads: int) -> dict[str, int]:
    """What a cell asks a node for."""
    return {"CPU": threads} | ({"GPU": 1} if cell.environment.device == "cuda" else {})


class RemoteCells:
    """Tasks of a cluster, one per cell; a pool of `dispatch`."""

    def __init__(self, ray: Any, store: Store, *, workers: int, threads: int, materials: Materials) -> None:
        """Of nothing yet.

        Args:
            ray: as `connection.joined` gives it.
            store: where results are kept, on this machine.
            workers: cells at the same time, at most; the cluster may have room for fewer.
            threads: of each cell, and the processors that it asks for.
            materials: for cells that can only be kept as failed.
        """
        self._ray = ray
        self._store = store
        self._most = workers
        self._threads = threads
        self._materials = materials
        self._known: list[tuple[PlannedCell, Result]] = []
        """Results that no task has to give."""
        self._running: list[_Running] = []
        self._deadline: float | None = None
        """When tasks that do not stop are killed; None while none has to stop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        while self._running:
            for _message in self.listen():
                pass

    def room(self, cell: Cell) -> int:
        """How many such cells the cluster has room for, were it free. Raises InputError: no node has."""
        wanted = resources(cell, self._threads)
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        found = sum(min(int(node.get(name, 0) // number) for name, number in wanted.items()) for node in nodes)
        if not found:
            raise InputError(
                f"no node of the cluster has room for {cell.name}: {wanted}; "
                "threads follow from this machine's cores, and OMP_NUM_THREADS sets them"
            )
        return min(found, self._most)

    def start(self, planned: PlannedCell, given_up: str | None) -> bool:
        """Send a cell to the cluster, unless another run has it, or has finished it meanwhile."""
        folder = planned.cell.folder(self._store)
        with ExitStack() as lock:
            try:
                lock.enter_context(held(folder.path, lambda: True))
            except Interrupted:
                return False
            known = folder.result()
            if known and known.status == "done":
                self._known.append(
                    (planned, replace(known, preset=planned.cell.preset, protocol=planned.cell.protocol))
                )
            elif given_up:
                lock.close()
                failed = fail_cell(planned.cell, self._store, self._materials, given_up, stop=lambda: True)
                self._known.append((planned, failed))
            else:
                self._running.append(_Running(planned, self._submit(planned.cell), lock.pop_all()))
        return True

    def stop(self) -> None:
        """Cancel all tasks."""
        if self._deadline is None:
            self._deadline = time.monotonic() + STOP_SECONDS
            for running in self._running:
                self._ray.cancel(running.messages)

    def listen(self) -> Iterator[tuple[PlannedCell, Message]]:
        """Wait a little for what the tasks say."""
        while self._known:
            yield self._known.pop()
        if not self._running:
            return
        speaking, _ = self._ray.wait([running.messages for running in self._running], timeout=POLL_SECONDS)
        if self._deadline and not speaking and time.monotonic() > self._deadline:
            for running in self._running:
                self._ray.cancel(running.messages, force=True)
        for running in [running for running in self._running if running.messages in speaking]:
            message = self._receive(running)
            if not isinstance(message, Progress):
                self._running.remove(running)
                running.lock.close()
            yield running.planned, message

    def _submit(self, cell: Cell) -> Any:
        wanted = resources(cell, self._threads)
        task = self._ray.remote(
            num_cpus=wanted["CPU"],
            num_gpus=wanted.get("GPU", 0),
            num_returns="streaming",
            max_retries=0,  # `dispatch` begins again: it knows what was lost, and how often
            max_calls=0,  # the next cell finds weights and data open
        )(work)
        needed = cell.needs.folder(self._store).result() if cell.needs else None
        return task.remote(Order(cell=cell, threads=self._threads, needed=needed))

    def _receive(self, running: _Running) -> Message:
        """What a task says next; a finished cell is written before it is told."""
        exceptions, cell = self._ray.exceptions, running.planned.cell
        try:
            message: Progress | Finished | Refused = self._ray.get(next(running.messages))
        except (StopIteration, exceptions.RayError) as error:
            return self._ending(error, cell)
        if isinstance(message, Finished):
            return self._keep(cell, message)
        if isinstance(message, Refused):
            return InputError(f"{cell.name}, {message.reason}")
        return message

    def _ending(self, error: Exception, cell: Cell) -> Message:
        """What it means that a task has ended without a last word."""
        exceptions = self._ray.exceptions
        if self._deadline is None and isinstance(error, exceptions.RayTaskError):
            return RuntimeError(f"{cell.name}\n{error}")
        if isinstance(error, exceptions.RuntimeEnvSetupError):
            return InputError(f"{cell.name}: a node cannot set up the code: {error}")
        return Lost(f"its process or node was lost ({type(error).__name__})")

    def _keep(self, cell: Cell, finished: Finished) -> Result:
        """Write a cell's files as if it had run here, the result last."""
        folder = cell.folder(self._store)
        for name, content in finished.files.items():
            write_atomically(folder.path / name, content)
        if (adapter := folder.path / "adapter").is_dir():
            model_card(finished.result, adapter).save(adapter / "README.md")  # it names the folder
        folder.write_result(finished.result, {})
        return finished.result
