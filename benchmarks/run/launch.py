"""Plans a request's cells and runs them: in this process, in several worker processes, or on a Ray cluster."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from math import floor
from typing import Any

from autolora.compute.process_group import Team
from autolora.compute.runtime import Interrupted
from benchmarks.core.settings import Settings
from benchmarks.core.spec import InputError
from benchmarks.core.stopping import StopOnSignal
from benchmarks.run.cache import Materials, open_materials
from benchmarks.run.machine.environment import resolve_device, usable_cores
from benchmarks.run.machine.memory import memory_bytes
from benchmarks.run.plan import Assumptions, PlannedCell, make_plan
from benchmarks.run.pool.dispatch import Pool, run_in_pool
from benchmarks.run.pool.workers import Workers
from benchmarks.run.progress import RunProgress
from benchmarks.run.ray.cluster import RemoteCells
from benchmarks.run.ray.connection import connect
from benchmarks.run.runner import run
from benchmarks.store.damage import set_damaged_aside
from benchmarks.store.result import Result
from benchmarks.store.shards import Shard, write_manifest
from benchmarks.store.store import Store

LOG = logging.getLogger(__name__)
WORKER_BYTES = 1.5e9
"""Memory of a worker for libraries and activations."""
BYTES_PER_PARAMETER = 20
"""Memory of a worker per model parameter: weight, gradient, two Adam moments and a copy."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """All cells of some tasks and methods with the same settings."""

    settings: Settings
    tasks: Sequence[str]
    methods: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Request:
    """The cells to run, and where and how to run them."""

    scopes: Sequence[Scope]
    store: Store
    shard: Shard | None = None
    """The part of the cells that is run; None runs all cells."""
    quiet: bool = False
    """Print only failures during the run."""
    workers: int | None = None
    """Number of cells that run concurrently and share the cores; None: one per core on a CPU, one on an accelerator."""
    assumed: Assumptions = field(default_factory=Assumptions)
    """Assumptions for estimates of another machine's time."""
    ray: str | None = None
    """Address of the Ray cluster that the cells run on, as `ray.connection.connect` takes it; None: this machine."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers must be at least 1; got {self.workers}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The cells of a request, and how many of them run concurrently."""

    cells: Sequence[PlannedCell]
    identities: Sequence[str]
    """Identities of all cells of the request, including those of other shards."""
    workers: int
    threads: int
    """Threads of each worker. They depend on the request and the machine alone, as they may change a cell's bits."""

    @property
    def seconds(self) -> float:
        """Estimated time from now to the end."""
        left = [planned.seconds for planned in self.cells if not planned.done]
        return max([sum(left) / self.workers, *left], default=0.0)


@dataclass(frozen=True, kw_only=True)
class Launched:
    """The results and the exit status of a run."""

    results: Sequence[Result]
    """One result per cell, including failed cells; empty where the run was interrupted."""
    interrupted: str | None = None
    """How far the run had come when it was interrupted; None where it was not interrupted."""
    exit_status: int


def plan(request: Request) -> tuple[Plan, Materials]:
    """The cells with their results and estimated times, and the cache that the planning filled."""
    cores = usable_cores()
    default_workers = cores if _on_cpu(request.scopes) and Team.of_this_process().size == 1 else 1
    workers = request.workers or default_workers
    # On a cluster the cells do not share this machine's cores, however many run concurrently.
    threads = max(1, cores // (default_workers if request.ray else workers))
    materials = open_materials(threads)
    cells = list(
        {
            planned.cell.identity: planned
            for scope in request.scopes
            for planned in make_plan(
                scope.settings, scope.tasks, scope.methods, request.store, materials, assumed=request.assumed
            )
        }.values()
    )
    identities = [planned.cell.identity for planned in cells]
    if request.shard:
        cells = _part(cells, request.shard)
    to_do = [planned for planned in cells if not planned.done]
    if request.ray:
        workers = request.workers or len(to_do)
    elif not request.workers:
        workers = min(workers, _fitting_in_memory(to_do, materials))
    workers = max(1, min(workers, len(to_do)))
    return Plan(cells=cells, identities=identities, workers=workers, threads=threads), materials


def launch(request: Request) -> Launched:
    """Run all cells that are not done; damaged results are set aside first, and their cells run again."""
    for message in set_damaged_aside(request.store):
        LOG.warning(message)
    planned, materials = plan(request)
    if request.shard:
        write_manifest(request.store, request.shard, planned.identities)
    with _cluster(request, planned) as ray:
        progress = RunProgress(planned.cells, quiet=request.quiet)
        with StopOnSignal() as stop:
            try:
                run_cells = _runner(planned, request.store, materials, ray)
                results = run_cells(progress, stop.requested)
            except Interrupted as interruption:
                return Launched(results=(), interrupted=str(interruption), exit_status=stop.exit_status)
            finally:
                progress.close()
    return Launched(results=results, exit_status=int(any(result.status == "failed" for result in results)))


def _cluster(request: Request, planned: Plan) -> AbstractContextManager[Any]:
    """The connection to the Ray cluster; None where the cells run on this machine, or are all done."""
    if request.ray and not all(cell.done for cell in planned.cells):
        return connect(request.ray, planned.cells)
    return nullcontext()


def _runner(planned: Plan, store: Store, materials: Materials, ray: Any) -> Callable[..., list[Result]]:
    """Runs cells in this process, in worker processes, or on the cluster; takes `progress` and `stop`."""
    if planned.workers == 1 and not ray:
        return partial(run, planned.cells, store, materials)
    size = {"workers": planned.workers, "threads": planned.threads}
    pool: Pool = RemoteCells(ray, store, materials=materials, **size) if ray else Workers(planned.cells, store, **size)
    return partial(run_in_pool, planned.cells, store, pool)


def _part(cells: Sequence[PlannedCell], shard: Shard) -> list[PlannedCell]:
    """A shard's cells: every n-th cell, together with the cells that need it."""
    roots = {planned.cell.identity: (planned.cell.needs or planned.cell).identity for planned in cells}
    places = {root: place for place, root in enumerate(dict.fromkeys(roots.values()))}
    return [planned for planned in cells if shard.takes(places[roots[planned.cell.identity]])]


def _on_cpu(scopes: Iterable[Scope]) -> bool:
    return all(resolve_device(scope.settings.section("run").get("device", "auto")) == "cpu" for scope in scopes)


def _fitting_in_memory(cells: Sequence[PlannedCell], materials: Materials) -> int:
    """How many of these cells fit into the machine's memory concurrently."""
    models = {planned.cell.config["model"] for planned in cells}
    largest = max((materials.backbone(model).parameters for model in models), default=0)
    return floor(min(len(cells), memory_bytes() / (WORKER_BYTES + BYTES_PER_PARAMETER * largest)))
