"""Runs the cells of a plan as tasks of a Ray cluster; what they leave comes back to this machine's store."""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from autolora.compute.runtime import Interrupted, Progress
from benchmarks.core.locks import held
from benchmarks.core.spec import InputError
from benchmarks.run.cache import Materials
from benchmarks.run.machine.environment import COMMIT_VARIABLE, code_version, usable_cores
from benchmarks.run.plan import Cell, PlannedCell
from benchmarks.run.progress import RunProgress
from benchmarks.run.ray.node import SCRATCH, Finished, Order, Refused, work
from benchmarks.run.ray.shipping import pack
from benchmarks.run.runner import fail_cell
from benchmarks.run.saving import model_card
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
from benchmarks.store.store import Store, write_atomically

LOCAL = "local"
POLL_SECONDS = 0.2
CONNECT_SECONDS = 5.0
STOP_SECONDS = 60.0
"""How long a cell that is cancelled may take to its next step; then its process is ended."""


@contextmanager
def joined(address: str, plan: Sequence[PlannedCell]) -> Iterator[Any]:
    """The package `ray`, connected to a cluster that has what these cells are made from.

    Args:
        address: "local" is a Ray of this run alone, on this machine's loopback interface; "auto" is the cluster that
            this machine is part of; else its head's HOST:PORT.
        plan: the cells that will be run.

    Raises:
        InputError: the package is missing, there is no such cluster, or something cannot be sent there.
    """
    if find_spec("ray") is None:
        raise InputError('--ray needs the package ray: pip install "autolora-bench[ray]"')
    cells = [planned.cell for planned in plan if not planned.done]
    if any(cell.config["track"] for cell in cells):
        raise InputError("run.track writes where a cell runs, and with --ray that is a node: leave one of them out")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address == LOCAL:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's word for: the loopback interface alone
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    elif address != "auto":
        _check_reachable(address)
    import ray  # noqa: PLC0415  an optional package, which reads the variables above

    with ExitStack() as stack, TemporaryDirectory(prefix=SCRATCH) as code:
        pack(Path(code), (cell.config[name] for cell in cells for name in ("data", "model")))
        own: dict[str, Any] = {}
        if address == LOCAL:
            # Not where TMPDIR is: the path of a socket has at most 104 bytes.
            place = "/tmp" if Path("/tmp").is_dir() else None  # noqa: S108
            temporary = stack.enter_context(TemporaryDirectory(prefix=SCRATCH, dir=place, ignore_cleanup_errors=True))
            own = {"num_cpus": usable_cores(), "include_dashboard": False, "_temp_dir": temporary}
        stack.callback(ray.shutdown)
        told = {"runtime_env": runtime_env(Path(code)), "log_to_driver": False, "logging_level": logging.ERROR}
        try:
            ray.init(address, **told, **own)
        except (ConnectionError, ray.exceptions.RayError, RuntimeError) as error:
            raise InputError(
                f"--ray {address}: {error}. `ray start --head` begins a cluster, `ray start --address HOST:PORT` adds "
                "this machine to one; --ray local needs neither"
            ) from error
        connection = stack.pop_all()
    with connection:  # the copy of the code has gone: the cluster has it
        yield ray


def runtime_env(code: Path) -> dict[str, Any]:
    """What Ray is told of the processes on the nodes."""
    commit, clean = code_version()
    named = {COMMIT_VARIABLE: commit if clean else f"{commit}-dirty"} if commit else {}
    return {"working_dir": str(code), "env_vars": named}


def run_on_cluster(
    plan: Sequence[PlannedCell],
    store: Store,
    ray: Any,
    *,
    workers: int,
    threads: int,
    materials: Materials,
    progress: RunProgress,
    stop: Callable[[], bool],
) -> list[Result]:
    """Run what is not done; a cell that fails is kept as failed, one whose node is lost begins again on another.

    Args:
        plan: the cells.
        store: where results are kept, on this machine.
        ray: as `joined` gives it.
        workers: cells at the same time, at most; the cluster may have room for fewer.
        threads: of each cell, and the processors that it asks for.
        materials: for cells that can only be kept as failed.
        progress: told of every cell's steps.
        stop: once it answers True, all cells are cancelled.

    Returns:
        One result per cell of the plan, in its order.

    Raises:
        Interrupted: stop answered True; the next run begins the unfinished cells anew.
        InputError: no node has room for a cell, or one refuses it.
    """
    store.check_writable()
    results, to_do = results_at_hand(plan), left_of(plan)
    waiting = in_order(to_do.values())
    with _RemoteCells(ray, store, threads, materials, progress) as remote:
        for planned in waiting:
            if not remote.room(planned.cell):
                raise InputError(
                    f"no node of the cluster has room for {planned.cell.name}: {_resources(planned.cell, threads)}; "
                    "threads follow from this machine's cores, and OMP_NUM_THREADS sets them"
                )
        while not stop():
            able = [planned for planned in waiting if is_ready(planned, to_do, results)]
            if not able and not remote.working:
                break
            free = next_cell(able, store) if len(remote.working) < workers else None
            if free and len(remote.working) < remote.room(free.cell):
                with suppress(Interrupted):  # another run was faster
                    remote.start(free)
                    waiting.remove(free)
                    continue
            for result in remote.listen():
                results[result.identity] = result
    return results_in_order(plan, results)


def _resources(cell: Cell, threads: int) -> dict[str, int]:
    """What a cell asks a node for."""
    return {"CPU": threads} | ({"GPU": 1} if cell.environment.device == "cuda" else {})


@dataclass
class _Running:
    planned: PlannedCell
    messages: Any
    """The task's generator of references to what it says."""
    lock: ExitStack
    """Keeps other runs on this store from the cell."""
    losses: int = 0


class _RemoteCells:
    """The tasks of a run; none of them outlives the `with` block."""

    def __init__(self, ray: Any, store: Store, threads: int, materials: Materials, progress: RunProgress) -> None:
        self._ray = ray
        self._store = store
        self._threads = threads
        self._materials = materials
        self._progress = progress
        self._known: list[Result] = []
        self.working: list[_Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self.working:
            self._ray.cancel(running.messages)
        deadline = time.monotonic() + STOP_SECONDS
        for running in self.working:
            self._see_end(running, deadline)
            running.lock.close()

    def room(self, cell: Cell) -> int:
        """How many such cells the cluster has room for, were it free."""
        wanted = _resources(cell, self._threads)
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return sum(min(int(node.get(name, 0) // number) for name, number in wanted.items()) for node in nodes)

    def start(self, planned: PlannedCell) -> None:
        """Send a cell to the cluster, unless another run has finished it meanwhile.

        Raises:
            Interrupted: another run has it.
        """
        folder = planned.cell.folder(self._store)
        with ExitStack() as lock:
            lock.enter_context(held(folder.path, lambda: True))
            self._progress.begin(planned)
            known = folder.result()
            if known and known.status == "done":
                self._known.append(replace(known, preset=planned.cell.preset, protocol=planned.cell.protocol))
                self._progress.end(planned, self._known[-1])
            else:
                self.working.append(_Running(planned, self._submit(planned.cell), lock.pop_all()))

    def listen(self) -> Iterator[Result]:
        """Wait a little for what the tasks say; yields the results among it."""
        while self._known:
            yield self._known.pop()
        if not self.working:
            time.sleep(POLL_SECONDS)  # other runs have all cells
            return
        speaking, _ = self._ray.wait([running.messages for running in self.working], timeout=POLL_SECONDS)
        for running in [running for running in self.working if running.messages in speaking]:
            cell = running.planned.cell
            try:
                message = self._receive(running)
            except _LostError as error:
                if failed := self._begin_again(running, str(error)):
                    yield failed
                continue
            if isinstance(message, Progress):
                self._progress.step(running.planned, message)
                continue
            if isinstance(message, Refused):
                raise InputError(f"{cell.name}, {message.reason}")
            self._keep(cell, message)
            self._let_go(running)
            self._progress.end(running.planned, message.result)
            yield message.result

    def _submit(self, cell: Cell) -> Any:
        wanted = _resources(cell, self._threads)
        task = self._ray.remote(
            num_cpus=wanted["CPU"],
            num_gpus=wanted.get("GPU", 0),
            num_returns="streaming",
            max_retries=0,  # whoever listens begins again: it knows what was lost, and how often
            max_calls=0,  # the next cell finds weights and data open
        )(work)
        needed = cell.needs.folder(self._store).result() if cell.needs else None
        return task.remote(Order(cell=cell, threads=self._threads, needed=needed))

    def _receive(self, running: _Running) -> Progress | Finished | Refused:
        """What a task says next. Raises _LostError: its process, its node, or what it said has gone."""
        exceptions = self._ray.exceptions
        name = running.planned.cell.name
        try:
            message: Progress | Finished | Refused = self._ray.get(next(running.messages))
        except exceptions.RayTaskError as error:
            raise RuntimeError(f"{name}\n{error}") from None
        except exceptions.RuntimeEnvSetupError as error:
            raise InputError(f"{name}: a node cannot set up the code: {error}") from error
        except exceptions.RayError as error:
            raise _LostError(type(error).__name__) from error
        return message

    def _begin_again(self, running: _Running, loss: str) -> Result | None:
        """Begin a cell again that was lost; its result as a failed one where that has been done too often."""
        running.losses += 1
        if running.losses < MOST_LOSSES:
            self._progress.begin(running.planned)
            running.messages = self._submit(running.planned.cell)
            return None
        self._let_go(running)
        reason = f"its process or node was lost {MOST_LOSSES} times ({loss}); where memory is short, fewer --workers need less"
        result = fail_cell(running.planned.cell, self._store, self._materials, reason, stop=lambda: True)
        self._progress.end(running.planned, result)
        return result

    def _let_go(self, running: _Running) -> None:
        self.working.remove(running)
        running.lock.close()

    def _keep(self, cell: Cell, finished: Finished) -> None:
        """Write a cell's files as if it had run here, the result last."""
        folder = cell.folder(self._store)
        for name, content in finished.files.items():
            write_atomically(folder.path / name, content)
        if (adapter := folder.path / "adapter").is_dir():
            model_card(finished.result, adapter).save(adapter / "README.md")  # it names the folder
        folder.write_result(finished.result, {})

    def _see_end(self, running: _Running, deadline: float) -> None:
        """Wait until a cancelled task has put its things away."""
        force = False
        while True:
            ready, _ = self._ray.wait([running.messages], timeout=POLL_SECONDS)
            if ready:
                try:
                    self._ray.get(next(running.messages))
                except (StopIteration, self._ray.exceptions.RayError):
                    return
            elif not force and time.monotonic() > deadline:
                force = True
                self._ray.cancel(running.messages, force=True)


class _LostError(Exception):
    """A task has gone with its process or its node."""


def _check_reachable(address: str) -> None:
    """Raises InputError: nobody listens there; Ray itself would try for many minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()) or "/" in host:
        raise InputError(f"--ray takes {LOCAL}, auto or the HOST:PORT of a cluster's head; got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise InputError(f"--ray {address}: nobody listens there ({error}); `ray status` names the address") from error
