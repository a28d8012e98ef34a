"""Runs one cell on a node of a cluster: checks that the node matches the plan, and returns the cell's files."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from queue import Empty, Queue
from shutil import rmtree
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Any

from autolora.compute.runtime import Progress
from benchmarks.core import registry
from benchmarks.core.spec import InputError
from benchmarks.data.models import backbones
from benchmarks.run.cache import Materials, open_materials
from benchmarks.run.machine import environment
from benchmarks.run.plan import Cell
from benchmarks.run.runner import run_cell
from benchmarks.store.result import Result
from benchmarks.store.store import RESULT_FILE, SUMS_FILE, CellFolder, Store, write_result

PROGRESS_SECONDS = 1.0
"""Least time between two progress messages of a cell."""
POLL_SECONDS = 0.2
"""Longest wait for a progress message, after which the generator can be cancelled."""
SCRATCH = "autolora-bench-"
"""Prefix of the names of temporary folders, on nodes and on the driver."""


@dataclass(frozen=True, kw_only=True)
class RemoteCellTask:
    """A cell to run on a node."""

    cell: Cell
    threads: int
    """Number of threads that the cell computes with."""
    needed: Result | None
    """Result of the cell whose ranks this one starts from."""


@dataclass(frozen=True, kw_only=True)
class FinishedCell:
    """The content of a finished cell's folder."""

    result: Result
    files: dict[str, bytes]
    """Path below the cell's folder -> content, for all files except the result."""


@dataclass(frozen=True, kw_only=True)
class RefusedCell:
    """The reason why the node cannot run the cell as planned."""

    reason: str


def run_remote_cell(task: RemoteCellTask) -> Iterator[Progress | FinishedCell | RefusedCell]:
    """Run a cell in a temporary folder; yields some of its steps, then the finished cell or the reason of a refusal.

    The cell runs in a thread: when this generator is closed, the thread stops at its next step. The temporary folder is
    deleted before the last message is yielded.
    """
    messages: Queue[Progress] = Queue()
    stopped = Event()
    with TemporaryDirectory(prefix=SCRATCH) as scratch, ThreadPoolExecutor(1) as thread:
        future = thread.submit(_run, task, Store(folder=Path(scratch)), messages.put, stopped.is_set)
        try:
            yield from _steps(messages, future)
        except SystemExit:  # the driver was killed: Ray kills its workers after 0.1 seconds
            rmtree(scratch, ignore_errors=True)
            raise
        finally:
            stopped.set()
        end = future.result()
    yield end


def _steps(messages: "Queue[Progress]", future: "Future[FinishedCell | RefusedCell]") -> Iterator[Progress]:
    """The cell's steps until it ends, at most one per PROGRESS_SECONDS."""
    last_yield = 0.0
    while not future.done():
        try:
            message = messages.get(timeout=POLL_SECONDS)
        except Empty:
            continue
        if monotonic() - last_yield >= PROGRESS_SECONDS:
            last_yield = monotonic()
            yield message


def _run(
    task: RemoteCellTask, store: Store, progress: Callable[[Progress], None], stop: Callable[[], bool]
) -> FinishedCell | RefusedCell:
    try:
        materials = _materials(task.threads)
        cell = checked(task.cell, materials)
        if cell.needs and task.needed:
            write_result(cell.needs.folder(store).path / RESULT_FILE, task.needed)
        result = run_cell(cell, store, materials, progress=progress, stop=stop)
        return FinishedCell(result=result, files=_files(cell.folder(store)))
    except (InputError, OSError) as error:
        return RefusedCell(reason=f"on {platform.node()}: {error}")


@lru_cache(maxsize=1)
def _materials(threads: int) -> Materials:
    """The process's cache, which later cells of the same process use too."""
    return open_materials(threads)


def checked(cell: Cell, materials: Materials) -> Cell:
    """The cell with this machine's environment, after checking that the node matches the plan.

    Raises:
        InputError: the node's environment, code, data or weights differ from the plan, so that the cell's identity would
            not describe its result.
    """
    here = environment.describe(cell.config["device"], cell.config["precision"], onednn=cell.environment.onednn)
    if here.key != cell.environment.key:
        planned = cell.environment.decisive
        differing = {name: value for name, value in here.decisive.items() if value != planned[name]}
        raise InputError(
            f"the node's environment is not the planned one: planned {_described(planned, differing)}; the node has "
            f"{_described(here.decisive, differing)}. "
            "Remove this node from the cluster, or start the run on a machine like it"
        )
    versions = {"task": registry.task(cell.task).version, "method": registry.method(cell.method).version}
    if versions != dict(cell.versions):
        raise InputError(
            f"{cell.name} was planned with versions {dict(cell.versions)}, the node has {versions}: install the same code"
        )
    for name, fingerprint in (
        ("data", materials.data(cell.task, cell.config["data"], cell.config["partial"]).fingerprint),
        ("model", backbones.fingerprint(cell.config["model"])),
    ):
        if fingerprint != cell.fingerprints[name]:
            raise InputError(
                f"--{name} {cell.config[name]} has different content on the node than where the run was started "
                f"({fingerprint[:12]}, not {cell.fingerprints[name][:12]}): all machines need the same files at this path"
            )
    return replace(cell, environment=here)


def _described(properties: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {properties[name] or 'unknown'}" for name in names)


def _files(folder: CellFolder) -> dict[str, bytes]:
    """Path -> content of a finished cell's files, except the result and the checksums."""
    return {
        path.relative_to(folder.path).as_posix(): path.read_bytes()
        for path in sorted(folder.path.rglob("*"))
        if path.is_file() and path.name not in (RESULT_FILE, SUMS_FILE) and not path.name.startswith(".")
    }
