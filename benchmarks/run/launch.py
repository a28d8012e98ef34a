"""Plans and runs what the command line asks for: in this process, in several, or on a cluster."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
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
from benchmarks.run.ray.connection import joined
from benchmarks.run.runner import run
from benchmarks.store.damage import set_damaged_aside
from benchmarks.store.result import Result
from benchmarks.store.shards import Shard, write_manifest
from benchmarks.store.store import Store

LOG = logging.getLogger(__name__)
WORKER_BYTES = 1.5e9
BYTES_PER_PARAMETER = 20
"""What a worker needs: libraries and activations; weights, gradients, two moments and a copy."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """All cells of some tasks and methods at the same settings."""

    settings: Settings
    tasks: Sequence[str]
    methods: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    scopes: Sequence[Scope]
    store: Store
    shard: Shard | None = None
    """The part of the cells that is run; None is all of them."""
    quiet: bool = False
    """Tell nothing but failures while it runs."""
    workers: int | None = None
    """Cells at the same time, which share the cores; None is one per core on a CPU, and one on an accelerator."""
    assumed: Assumptions = field(default_factory=Assumptions)
    """For estimates of another machine's time."""
    ray: str | None = None
    """The Ray cluster that the cells run on, as `ray.connection.joined` takes it; None is this machine."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers must be at least 1; got {self.workers}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The cells of a request, and how many run at the same time."""

    cells: Sequence[PlannedCell]
    identities: Sequence[str]
    """Of all cells of the request, the other shards' too."""
    workers: int
    threads: int
    """Of each worker. It follows from the request and the machine alone: it may change a cell's bits."""

    @property
    def seconds(self) -> float:
        """Estimated time from now to the end."""
        left = [planned.seconds for planned in self.cells if not planned.done]
        return max([sum(left) / self.workers, *left], default=0.0)


@dataclass(frozen=True, kw_only=True)
class Launched:
    """How a run ended."""

    results: Sequence[Result]
    """One per cell, failed ones included; none where the run was interrupted."""
    interrupted: str | None = None
    """Where."""
    exit_status: int


def plan(request: Request) -> tuple[Plan, Materials]:
    """The cells, which are done, and what the others will cost; and what they are made from."""
    cores = usable_cores()
    alone = cores if _on_cpu(request.scopes) and Team.of_this_process().size == 1 else 1
    wanted = request.workers or alone
    threads = max(1, cores // (alone if request.ray else wanted))  # a cluster's cells do not share this machine
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
        wanted = request.workers or len(to_do)
    elif not request.workers:
        wanted = min(wanted, _fitting_in_memory(to_do, materials))
    return Plan(cells=cells, identities=identities, workers=max(1, min(wanted, len(to_do))), threads=threads), materials


def launch(request: Request) -> Launched:
    """Run all cells that are not done; those whose results are damaged are not."""
    for said in set_damaged_aside(request.store):
        LOG.warning(said)
    planned, materials = plan(request)
    if request.shard:
        write_manifest(request.store, request.shard, planned.identities)
    with _cluster(request, planned) as ray:
        progress = RunProgress(planned.cells, quiet=request.quiet)
        with StopOnSignal() as stop:
            try:
                results = _run_cells(planned, request.store, materials, ray=ray, progress=progress, stop=stop.requested)
            except Interrupted as interruption:
                return Launched(results=(), interrupted=str(interruption), exit_status=stop.exit_status)
            finally:
                progress.close()
    return Launched(results=results, exit_status=int(any(result.status == "failed" for result in results)))


def _cluster(request: Request, planned: Plan) -> AbstractContextManager[Any]:
    """Where the cells run, if not here."""
    if request.ray and not all(cell.done for cell in planned.cells):
        return joined(request.ray, planned.cells)
    return nullcontext()


def _run_cells(
    planned: Plan, store: Store, materials: Materials, *, ray: Any, progress: RunProgress, stop: Callable[[], bool]
) -> list[Result]:
    """Run the cells here, in several processes, or on the cluster."""
    if planned.workers == 1 and not ray:
        return run(planned.cells, store, materials, progress, stop)
    size = {"workers": planned.workers, "threads": planned.threads}
    pool: Pool = RemoteCells(ray, store, materials=materials, **size) if ray else Workers(planned.cells, store, **size)
    return run_in_pool(planned.cells, store, pool, progress, stop)


def _part(cells: Sequence[PlannedCell], shard: Shard) -> list[PlannedCell]:
    """A shard's cells: in turns, but a cell that needs another stays with it."""
    roots = {planned.cell.identity: (planned.cell.needs or planned.cell).identity for planned in cells}
    places = {root: place for place, root in enumerate(dict.fromkeys(roots.values()))}
    return [planned for planned in cells if shard.takes(places[roots[planned.cell.identity]])]


def _on_cpu(scopes: Iterable[Scope]) -> bool:
    return all(resolve_device(scope.settings.section("run").get("device", "auto")) == "cpu" for scope in scopes)


def _fitting_in_memory(cells: Sequence[PlannedCell], materials: Materials) -> int:
    """How many of these cells the machine's memory holds at the same time."""
    models = {planned.cell.config["model"] for planned in cells}
    largest = max((materials.backbone(model).parameters for model in models), default=0)
    return floor(min(len(cells), memory_bytes() / (WORKER_BYTES + BYTES_PER_PARAMETER * largest)))
