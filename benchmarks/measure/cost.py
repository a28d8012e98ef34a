"""What methods cost (Table 5): each in a process of its own, which take turns, so that all see the same machine.

A turn runs all steps, or times some typical ones of every stage, each configuration of a grid by itself, and projects
them to all steps.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from torch.utils.flop_counter import FlopCounterMode

from autolora.compute.clocks import Clocks
from autolora.compute.runtime import NonFiniteLossError, Progress, Runtime, TimingRun
from autolora.problem import Batch, Example, Outcome, Problem, ignore
from benchmarks.core import registry
from benchmarks.core.nested import build
from benchmarks.core.settings import Settings
from benchmarks.core.spec import InputError
from benchmarks.measure.energy import Watts
from benchmarks.run.cache import Materials, open_materials
from benchmarks.run.cell import set_up
from benchmarks.run.machine.memory import peak_memory_bytes, reset_peak_memory
from benchmarks.run.plan import Cell, make_cells, matmul_rate
from benchmarks.run.pool.workers import START_METHOD
from benchmarks.store.cost_record import Cost, CostRun, Round, StageWork
from benchmarks.store.store import Store

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

TABLE_5 = ("adalora", "lora_grid_sequential", "lora_grid", "autolora", "lora", "full")
"""What is measured by default: the table's methods, the grid both ways, and two for reference."""
CALIBRATION = "lora"
"""Measured twice: how far two copies of the same differ is how far anything can be trusted."""
PROFILED_STEPS = TimingRun(steps=8, warmup=0)
"""Steps per stage and configuration whose tokens and operations are counted."""
_PROFILE = "profile"
"""What a process is asked once, before its turns."""
SLEPT_SECONDS = 1.0
"""The wall clock and the monotonic one may disagree by this much in a turn."""


@dataclass(frozen=True, kw_only=True)
class CostRequest:
    """What is to be measured."""

    settings: Settings
    """Its seeds are the rounds: each has batches of its own."""
    tasks: Sequence[str]
    methods: Sequence[str]
    timing_run: TimingRun | None
    """None runs every step."""
    threads: int
    store: Store


def turns(request: CostRequest) -> int:
    """How often `measure_costs` tells of something."""
    copies = len(request.methods) + (CALIBRATION in request.methods)
    return len(request.tasks) * copies * (1 + len(request.settings.seeds))


def measure_costs(request: CostRequest, tell: Callable[[str], None]) -> CostRun:
    """Measure every method on every task, in turns; tell is called before each turn with what it is.

    Raises:
        InputError: a name, a setting, data or a backbone is at fault, or a method cannot be trained with these.
    """
    materials = open_materials(request.threads)
    every = [*request.methods, *([CALIBRATION] if CALIBRATION in request.methods else [])]
    costs: list[Cost] = []
    cells = make_cells(request.settings, request.tasks, request.methods, materials)
    conditions = cells[0].config
    rate = partial(matmul_rate, conditions["device"], conditions["precision"], onednn=conditions["onednn"])
    before = rate()
    for task in request.tasks:
        by_method = [[cell for cell in cells if (cell.task, cell.method) == (task, method)] for method in every]
        again = [every.index(method) != place for place, method in enumerate(every)]
        costs += _costs_of_task(by_method, again, request, tell)
    backbone = materials.backbone(conditions["model"])
    return CostRun(
        preset=request.settings.preset,
        protocol=request.settings.protocol,
        timed_steps=request.timing_run.steps if request.timing_run else None,
        warmup_steps=_warmup(request.timing_run, graphs=conditions["graphs"]),
        matmul_flops_per_second=max(before, rate()),  # a busy host is at times slower than it can be
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
    """Steps before those that are timed."""
    return Runtime(timing_run=timing_run, graphs=graphs).warmup if timing_run else PROFILED_STEPS.steps


def take_turn(cell: Cell, materials: Materials, store: Store, timing_run: TimingRun | None) -> Round:
    """Train one cell, or project it."""
    device = cell.config["device"]
    watts = Watts(device)
    reset_peak_memory(device)
    wall, monotonic = time.time(), time.monotonic()
    with watts.measure():
        outcome = _train(cell, materials, store, timing_run)
    disagreement = (time.time() - wall) - (time.monotonic() - monotonic)
    return Round(
        seconds=dict(outcome.seconds),
        peak_memory_bytes=peak_memory_bytes(device),
        watts=watts.mean,
        disturbed=abs(disagreement) > SLEPT_SECONDS,
    )


def profile_steps(cell: Cell, materials: Materials, store: Store) -> tuple[dict[str, StageWork], int]:
    """What the steps of every stage are made of, and how many parameters are trained; warms the process up, too."""
    with FlopCounterMode(display=False) as counter:
        meter = _Meter(counter)
        outcome = _train(cell, materials, store, PROFILED_STEPS, meter)
    work = {
        stage: StageWork(
            steps=count.of,
            tokens=count.tokens / count.steps,
            padding=1 - count.tokens / count.padded,
            flops=count.flops / count.steps,
        )
        for stage, count in meter.stages.items()
    }
    return work, outcome.trainable_parameters


def _train(
    cell: Cell, materials: Materials, store: Store, timing_run: TimingRun | None, meter: "_Meter | None" = None
) -> Outcome:
    """Train the cell, or project it, without checkpoints, evaluation and scores."""
    setup = set_up(cell, materials, store, clocks=Clocks(), progress=lambda _: None, stop=lambda: False)
    runtime = replace(setup.problem.runtime, timing_run=timing_run, checkpoints=None)
    if meter:
        runtime = replace(runtime, graphs=False)  # what is replayed cannot be counted
    problem = replace(setup.problem, runtime=runtime, observe=ignore, score=lambda *_: 0.0)
    return setup.method.train(meter.attached(problem) if meter else problem)


@dataclass
class _StageCount:
    of: int = 0
    steps: int = 0
    tokens: int = 0
    padded: int = 0
    flops: int = 0


@dataclass
class _Meter:
    """Counts, stage by stage, what the batches of its steps hold and what is computed on them."""

    counter: FlopCounterMode
    stages: dict[str, _StageCount] = field(default_factory=dict)

    def attached(self, problem: Problem) -> Problem:
        batches = _StageCount()

        def collate(examples: Sequence[Example]) -> Batch:
            batch = problem.collate(examples)
            batches.tokens += sum(len(example["input_ids"]) for example in examples)
            batches.padded += batch["input_ids"].numel()
            return batch

        def progress(progress: Progress) -> None:
            """A step is done: what was collated since the last one was for this one."""
            counted = sum(stage.flops for stage in self.stages.values())
            stage = self.stages.setdefault(progress.stage, _StageCount())
            stage.of = progress.steps
            stage.steps += 1
            stage.tokens += batches.tokens
            stage.padded += batches.padded
            stage.flops += self.counter.get_total_flops() - counted
            batches.tokens = batches.padded = 0

        return replace(problem, collate=collate, runtime=replace(problem.runtime, progress=progress))


def _costs_of_task(
    by_method: Sequence[Sequence[Cell]], again: Sequence[bool], request: CostRequest, tell: Callable[[str], None]
) -> Iterator[Cost]:
    """One cost per method; by_method[m][r] is method m's cell of round r."""
    with _players(by_method, request) as players:
        names = [f"{cells[0].task} {cells[0].method}" for cells in by_method]
        inside = prepare(players, names, tell, together=by_method[0][0].config["device"] != "cpu")
        rounds: list[list[Round]] = [[] for _ in by_method]
        for number in range(len(by_method[0])):
            for shift in range(len(by_method)):
                place = (number + shift) % len(by_method)  # nobody is always the first
                tell(f"{names[place]}: round {number + 1}")
                players[place].begin(number)
                rounds[place].append(players[place].answer())
    for cells, copy, (work, parameters), own in zip(by_method, again, inside, rounds, strict=True):
        method = build(registry.method(cells[0].method), cells[0].config["method"], cells[0].method)
        yield Cost(
            task=cells[0].task,
            task_title=registry.task(cells[0].task).title,
            method=cells[0].method,
            method_title=method.title,
            again=copy,
            rounds=tuple(own),
            work=work,
            trainable_parameters=parameters,
            config=cells[0].config,
        )


def prepare(
    players: "Sequence[Player]", names: Sequence[str], tell: Callable[[str], None], *, together: bool
) -> list[tuple[dict[str, StageWork], int]]:
    """What `profile_steps` says of each; together: all look at the same time, which a CPU has no cores for."""
    if together:
        for player in players:
            player.begin(_PROFILE)
    inside = []
    for name, player in zip(names, players, strict=True):
        tell(f"{name}: preparing")
        if not together:
            player.begin(_PROFILE)
        inside.append(player.answer())
    return inside


@dataclass(frozen=True)
class Player:
    """A process that waits for its turns."""

    process: BaseProcess
    messages: "Connection[Any, Any]"

    def begin(self, what: str | int) -> None:
        """Ask, and do not wait; a process that is gone answers so."""
        with suppress(ConnectionError):
            self.messages.send(what)

    def answer(self) -> Any:
        """To what was asked. Raises InputError: the method cannot be measured, or the process is gone."""
        try:
            answer = self.messages.recv()
        except (EOFError, ConnectionError) as error:
            self.process.join()
            raise InputError(
                "a measuring process was killed; take fewer --methods, or a machine with more memory"
                if (self.process.exitcode or 0) < 0  # by that signal
                else "a measuring process ended by an error that it does not know, shown above: this is a bug"
            ) from error
        if isinstance(answer, Exception):
            raise InputError(str(answer)) from answer
        return answer


@contextmanager
def _players(by_method: Sequence[Sequence[Cell]], request: CostRequest) -> Iterator[list[Player]]:
    """One process per method; none outlives the block."""
    context: Any = multiprocessing.get_context(START_METHOD)
    context.set_forkserver_preload([__name__])
    players = []
    try:
        for cells in by_method:
            ours, theirs = context.Pipe()
            work = (cells, request.store, request.timing_run, request.threads, theirs)
            process = context.Process(target=_play, args=work, daemon=True)
            process.start()
            theirs.close()
            players.append(Player(process, ours))
        yield players
    finally:
        for player in players:
            player.messages.close()
            player.process.terminate()
            player.process.join()


def _play(
    cells: Sequence[Cell], store: Store, timing_run: TimingRun | None, threads: int, messages: "Connection[Any, Any]"
) -> None:
    """Answer until nobody asks any more; Ctrl-C is for whoever asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    materials = open_materials(threads)
    while True:
        try:
            asked = messages.recv()
        except EOFError:
            return
        try:
            if isinstance(asked, int):
                messages.send(take_turn(cells[asked], materials, store, timing_run))
            else:
                messages.send(profile_steps(cells[0], materials, store))
        except (InputError, ValueError, RuntimeError, ImportError, NonFiniteLossError) as error:
            messages.send(InputError(f"{cells[0].task} {cells[0].method}: {error}"))
