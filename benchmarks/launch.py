"""Plans and runs what the command line asks for, in this process."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import transformers

from autolora.runtime import Interrupted
from benchmarks.environment import use_machine
from benchmarks.materials import Materials
from benchmarks.plan import PlannedCell, make_plan
from benchmarks.progress import RunProgress
from benchmarks.result import Result
from benchmarks.run import run
from benchmarks.settings import Settings
from benchmarks.stopping import StopOnSignal
from benchmarks.store import Store


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


@dataclass(frozen=True, kw_only=True)
class Launched:
    """How a run ended."""

    results: Sequence[Result]
    """One per cell, failed ones included; none where the run was interrupted."""
    interrupted: str | None = None
    """Where."""
    exit_status: int


def plan(request: Request, materials: Materials | None = None) -> list[PlannedCell]:
    """The cells, which are done, and what the others will cost."""
    materials = materials or open_materials()
    return [
        planned
        for scope in request.scopes
        for planned in make_plan(scope.settings, scope.tasks, scope.methods, request.store, materials)
    ]


def open_materials() -> Materials:
    """Materials on this machine, set up to compute."""
    use_machine()
    _quieten()
    return Materials()


def launch(request: Request) -> Launched:
    """Run all cells that are not done."""
    materials = open_materials()
    cells = plan(request, materials)
    progress = RunProgress(cells)
    with StopOnSignal() as stop:
        try:
            results = run(cells, request.store, materials, progress, stop.requested)
        except Interrupted as interruption:
            return Launched(results=(), interrupted=str(interruption), exit_status=stop.exit_status)
        finally:
            progress.close()
    return Launched(results=results, exit_status=int(any(result.status == "failed" for result in results)))


def _quieten() -> None:
    """New heads and adapters are meant to be untrained; no library has to say so at every cell."""
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft")
