"""Measures what methods cost (Table 5): one process per method, taking turns so that all run under the same conditions.

A turn runs all training steps, or times representative steps of every stage and extrapolates to all steps. The
configurations of a grid are timed separately.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from autolora.compute.runtime import Runtime, TimingRun
from benchmarks.core import registry
from benchmarks.core.nested import build
from benchmarks.core.settings import Settings
from benchmarks.measure.cost_process import MeasuringProcess, measuring_processes
from benchmarks.measure.cost_turn import PROFILED_STEPS
from benchmarks.run.cache import open_materials
from benchmarks.run.plan import Cell, make_cells, matmul_rate
from benchmarks.store.cost_record import Cost, CostRun, Round, StageWork
from benchmarks.store.store import Store

TABLE_5 = ("adalora", "lora_grid_sequential", "lora_grid", "autolora", "lora", "full")
"""Methods measured by default: those of Table 5 (the grid both stacked and sequential), LoRA and full fine-tuning."""
CALIBRATION = "lora"
"""This method is measured twice; the difference between its two copies is the measurement error."""


@dataclass(frozen=True, kw_only=True)
class CostRequest:
    """Tasks, methods and settings of one cost measurement."""

    settings: Settings
    """One round per seed; each round has the batches of its seed."""
    tasks: Sequence[str]
    methods: Sequence[str]
    timing_run: TimingRun | None
    """None runs every step."""
    threads: int
    """Threads of each measuring process."""
    store: Store


def turns(request: CostRequest) -> int:
    """How often `measure_costs` calls `announce`."""
    copies = len(request.methods) + (CALIBRATION in request.methods)
    return len(request.tasks) * copies * (1 + len(request.settings.seeds))


def measure_costs(request: CostRequest, announce: Callable[[str], None]) -> CostRun:
    """Measure every method on every task, in turns.

    Args:
        request: what to measure.
        announce: called before each turn with the turn's description.

    Raises:
        InputError: a name or a setting is invalid, data or a backbone are missing, or a method cannot be trained.
    """
    materials = open_materials(request.threads)
    methods = [*request.methods, *([CALIBRATION] if CALIBRATION in request.methods else [])]
    costs: list[Cost] = []
    cells = make_cells(request.settings, request.tasks, request.methods, materials)
    conditions = cells[0].config
    rate = partial(matmul_rate, conditions["device"], conditions["precision"], onednn=conditions["onednn"])
    rate_before = rate()
    for task in request.tasks:
        by_method = [[cell for cell in cells if (cell.task, cell.method) == (task, method)] for method in methods]
        is_calibration = [methods.index(method) != place for place, method in enumerate(methods)]
        costs += _costs_of_task(by_method, is_calibration, request, announce)
    backbone = materials.backbone(conditions["model"])
    return CostRun(
        preset=request.settings.preset,
        protocol=request.settings.protocol,
        timed_steps=request.timing_run.steps if request.timing_run else None,
        warmup_steps=_warmup(request.timing_run, graphs=conditions["graphs"]),
        matmul_flops_per_second=max(rate_before, rate()),  # other load on the host can only lower the measured rate
        model_title=backbone.title,
        model_parameters=backbone.parameters,
        data_sources={
            task: materials.data(task, conditions["data"], conditions["partial"]).source for task in request.tasks
        },
        costs=tuple(costs),
        environment=cells[0].environment,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _warmup(timing_run: TimingRun | None, *, graphs: bool) -> int:
    """Number of steps that run before the timed steps."""
    return Runtime(timing_run=timing_run, graphs=graphs).warmup if timing_run else PROFILED_STEPS.steps


def _costs_of_task(
    by_method: Sequence[Sequence[Cell]],
    is_calibration: Sequence[bool],
    request: CostRequest,
    announce: Callable[[str], None],
) -> Iterator[Cost]:
    """One cost per method; by_method[m][r] is method m's cell of round r."""
    with measuring_processes(by_method, request.store, request.timing_run, request.threads) as processes:
        names = [f"{cells[0].task} {cells[0].method}" for cells in by_method]
        on_cpu = by_method[0][0].config["device"] == "cpu"
        profiles = profile(processes, names, announce, concurrent=not on_cpu)
        rounds = _take_turns(processes, names, len(by_method[0]), announce)
    for cells, calibration, (work, parameters), own in zip(by_method, is_calibration, profiles, rounds, strict=True):
        method = build(registry.method(cells[0].method), cells[0].config["method"], cells[0].method)
        yield Cost(
            task=cells[0].task,
            task_title=registry.task(cells[0].task).title,
            method=cells[0].method,
            method_title=method.title,
            again=calibration,
            rounds=tuple(own),
            work=work,
            trainable_parameters=parameters,
            config=cells[0].config,
        )


def profile(
    processes: Sequence[MeasuringProcess],
    names: Sequence[str],
    announce: Callable[[str], None],
    *,
    concurrent: bool,
) -> list[tuple[dict[str, StageWork], int]]:
    """The result of `profile_steps` in each process; one process at a time, or all concurrently.

    A CPU does not have enough cores to profile all methods concurrently.
    """
    if concurrent:
        for process in processes:
            process.start_profiling()
    profiles = []
    for name, process in zip(names, processes, strict=True):
        announce(f"{name}: preparing")
        if not concurrent:
            process.start_profiling()
        profiles.append(process.result())
    return profiles


def _take_turns(
    processes: Sequence[MeasuringProcess], names: Sequence[str], count: int, announce: Callable[[str], None]
) -> list[list[Round]]:
    """The rounds of each process; the process that goes first changes from round to round."""
    rounds: list[list[Round]] = [[] for _ in processes]
    for number in range(count):
        for shift in range(len(processes)):
            place = (number + shift) % len(processes)
            announce(f"{names[place]}: round {number + 1}")
            processes[place].start_turn(number)
            rounds[place].append(processes[place].result())
    return rounds
