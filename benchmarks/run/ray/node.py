"""One cell on a machine of a cluster: what it is sent, what it checks, and the files that it sends back."""

import platform
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from queue import Empty, Queue
from shutil import rmtree
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

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
"""At most this often a cell tells its step."""
POLL_SECONDS = 0.2
"""How soon a cell is told that nobody wants it any more."""
SCRATCH = "autolora-bench-"
"""How the names of the folders begin in which a node keeps cells while they run."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a node is sent."""

    cell: Cell
    threads: int
    needed: Result | None
    """Of the cell whose ranks this one starts from."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A cell's folder as it is kept in a store."""

    result: Result
    files: dict[str, bytes]
    """Path below the cell's folder -> content, of everything but the result."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The node cannot run the cell as it was planned."""

    reason: str


def work(order: Order) -> Iterator[Progress | Finished | Refused]:
    """Run a cell in a scratch folder; yields some of its steps, then how it ended.

    The cell runs in a thread, so that whatever ends this generator only has to ask it to stop at its next step. The
    scratch folder has gone before the last word is said.
    """
    messages: Queue[Progress] = Queue()
    stopped = Event()
    with TemporaryDirectory(prefix=SCRATCH) as scratch, ThreadPoolExecutor(1) as thread:
        ending = thread.submit(_end, order, Store(folder=Path(scratch)), messages.put, stopped.is_set)
        try:
            yield from _steps(messages, ending)
        except SystemExit:  # the driver was killed: Ray leaves its workers a tenth of a second
            rmtree(scratch, ignore_errors=True)
            raise
        finally:
            stopped.set()
        end = ending.result()
    yield end


def _steps(messages: "Queue[Progress]", ending: "Future[Finished | Refused]") -> Iterator[Progress]:
    told = 0.0
    while not ending.done():
        try:
            message = messages.get(timeout=POLL_SECONDS)
        except Empty:
            continue
        if monotonic() - told >= PROGRESS_SECONDS:
            told = monotonic()
            yield message


def _end(order: Order, store: Store, tell: Callable[[Progress], None], stop: Callable[[], bool]) -> Finished | Refused:
    try:
        materials = _materials(order.threads)
        cell = checked(order.cell, materials)
        if cell.needs and order.needed:
            write_result(cell.needs.folder(store).path / RESULT_FILE, order.needed)
        result = run_cell(cell, store, materials, progress=tell, stop=stop)
        return Finished(result=result, files=_files(cell.folder(store)))
    except (InputError, OSError) as error:
        return Refused(reason=f"on {platform.node()}: {error}")


@lru_cache(maxsize=1)
def _materials(threads: int) -> Materials:
    """Weights and data stay open for the cells that come after in the same process."""
    return open_materials(threads)


def checked(cell: Cell, materials: Materials) -> Cell:
    """The cell with this machine's own description, once everything here is what it was planned with.

    Raises:
        InputError: machine, code, data or weights are others; what came of it would stand under a false name.
    """
    here = environment.describe(cell.config["device"], cell.config["precision"])
    if here.key != cell.environment.key:
        names = [*(["torch"] if here.packages["torch"] != cell.environment.packages["torch"] else [])]
        names += [
            name
            for name in ("device_name", "threads", "precision")
            if getattr(here, name) != getattr(cell.environment, name)
        ]
        raise InputError(
            f"this is another environment than the run was planned for, in {', '.join(names)}: "
            f"{_described(cell)} was planned, {_described(replace(cell, environment=here))} is here. "
            "Keep this node out of the cluster, or start the run on a machine like it"
        )
    versions = {"task": registry.task(cell.task).version, "method": registry.method(cell.method).version}
    if versions != dict(cell.versions):
        raise InputError(f"{cell.name} is of versions {dict(cell.versions)}, here is {versions}: install the same code")
    for name, option, found in (
        ("data", "data", materials.data(cell.task, cell.config["data"], cell.config["partial"]).fingerprint),
        ("model", "model", backbones.fingerprint(cell.config["model"])),
    ):
        if found != cell.fingerprints[name]:
            raise InputError(
                f"--{option} {cell.config[option]} has other content here than where the run was started "
                f"({found[:12]}, wanted {cell.fingerprints[name][:12]}): give all machines the same files at this path"
            )
    return replace(cell, environment=here)


def _described(cell: Cell) -> str:
    where = cell.environment
    return f"{where.device_name}, threads: {where.threads}, {where.precision}, torch {where.packages['torch']}"


def _files(folder: CellFolder) -> dict[str, bytes]:
    """What a finished cell leaves beside its result and their sums."""
    return {
        path.relative_to(folder.path).as_posix(): path.read_bytes()
        for path in sorted(folder.path.rglob("*"))
        if path.is_file() and path.name not in (RESULT_FILE, SUMS_FILE) and not path.name.startswith(".")
    }
