"""Commands that measure time, accuracy or repeatability."""

# ruff: noqa: T201  a command line prints

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from autolora.compute.clocks import Clocks
from autolora.compute.runtime import Runtime, TimingRun
from autolora.rank_search.config import SearchConfig
from autolora.training.cuda_graphs import has_graphs
from benchmarks.cli import scope as asked
from benchmarks.cli.commands.cells import request, was_interrupted
from benchmarks.cli.commands.printing import print_costs, width
from benchmarks.core.nested import build, merge
from benchmarks.core.settings import load_settings, resolve
from benchmarks.core.spec import InputError
from benchmarks.data.models.backbones import open_backbone
from benchmarks.measure import determinism, floors
from benchmarks.measure.cost import TABLE_5, CostRequest, measure_costs, turns
from benchmarks.measure.engines import measure_engines, render_engines
from benchmarks.measure.speed.comparisons import COMPARISONS
from benchmarks.measure.speed.growth import growth_json, measure_growth
from benchmarks.measure.speed.run import measure_speed
from benchmarks.measure.speed.setting import Setting
from benchmarks.measure.turn_progress import turn_progress
from benchmarks.report.speed_report import render_speed
from benchmarks.run import launch
from benchmarks.run.cache import open_materials
from benchmarks.run.cell import set_up
from benchmarks.run.launch import Scope
from benchmarks.run.machine.environment import describe, resolve_device, resolve_onednn, resolve_precision, usable_cores
from benchmarks.run.plan import make_cells
from benchmarks.store.cost_record import write_cost_run
from benchmarks.store.published import published_table
from benchmarks.store.speed_record import SpeedRun, write_speed_run
from benchmarks.store.store import Store, write_atomically


def show_cost(arguments: argparse.Namespace) -> int:
    """Measure what methods cost, keep it, and print Table 5."""
    options = merge(asked.command_line(arguments), {"run": {"seeds": list(range(arguments.rounds))}})
    request = CostRequest(
        settings=load_settings(arguments.preset, options),
        tasks=asked.known_tasks(arguments.tasks or asked.COST_TASKS),
        methods=asked.known_methods(arguments.methods or TABLE_5),
        timing_run=None if arguments.measured else TimingRun(steps=arguments.steps, warmup=arguments.warmup),
        threads=usable_cores(),
        store=Store(folder=arguments.runs),
    )
    try:
        with turn_progress(turns(request)) as tell:
            found = measure_costs(request, tell)
    except KeyboardInterrupt:
        print("interrupted; costs are compared within one run, so nothing of this one is kept", file=sys.stderr)
        return 130
    path = write_cost_run(arguments.runs, found)
    print_costs([found], arguments.format)
    print(f"\n{path}", file=sys.stderr)
    return 0


def show_speed(arguments: argparse.Namespace) -> int:
    """Print how fast training and search are against other implementations, or how their cost grows, in turns."""
    chosen = asked.known("comparison", arguments.only or list(COMPARISONS), list(COMPARISONS))
    device = resolve_device(arguments.device)
    precision = resolve_precision(arguments.precision, device)
    open_materials(usable_cores())
    onednn = resolve_onednn(device, precision, setting="auto")
    runtime = Runtime(device=device, precision=precision, graphs=has_graphs(device), onednn=onednn)  # type: ignore[arg-type]
    setting = Setting(backbone=open_backbone(arguments.model), runtime=runtime, steps=arguments.steps)
    if arguments.growth:
        growth = measure_growth(setting, describe(device, precision, onednn=onednn), arguments.rounds, _tell)
        write_atomically(arguments.growth, growth_json(growth).encode())
        return _draw_growth(arguments.growth)
    return _measure_speed(chosen, setting, arguments)


def show_engines(arguments: argparse.Namespace) -> int:
    """Print how exact and how fast the hypergradient's engines are on one task's data."""
    settings = load_settings(arguments.preset, asked.command_line(arguments))
    task, *others = asked.known_tasks(arguments.tasks or ["cola"])
    if others:
        raise InputError(f"engines are measured on one task; got {task},{','.join(others)}")
    materials = open_materials(usable_cores())
    cell = make_cells(settings, [task], ["autolora"], materials)[0]
    store = Store(folder=Path("runs"))
    setup = set_up(cell, materials, store, clocks=Clocks(), progress=lambda _: None, stop=lambda: False)
    where = cell.environment
    line = (
        f"{setup.task.title}, {setup.data.source.split()[0]}, {setup.backbone.title}, {where.machine}, "
        f"threads: {where.threads}, torch {where.packages['torch']}."
    )
    config = build(SearchConfig, cell.config["method"]["search"], "search")
    print(render_engines(measure_engines(setup.problem, config), line))
    return 0


def show_floors(arguments: argparse.Namespace) -> int:
    """Print what can be scored without fine-tuning, beside the results of full fine-tuning at hand."""
    settings = load_settings(arguments.preset, asked.command_line(arguments))
    tasks = asked.known_tasks(arguments.tasks or published_table(1).tasks)
    conditions = {task: resolve(settings, task, "full") for task in tasks}
    results = [result for result in Store(folder=arguments.runs).results() if result.preset == settings.preset]
    print(floors.render(conditions, results, open_materials(usable_cores())))
    return 0


def show_determinism(arguments: argparse.Namespace) -> int:
    """Run cells twice, and with other batches and threads; print what differs. 1: the same twice gave other bits."""
    tasks, methods = asked.tasks_and_methods(arguments)
    settings = load_settings(arguments.preset, asked.command_line(arguments))
    scope = Scope(settings=settings, tasks=tasks, methods=methods)
    wanted = replace(request(arguments, [scope]), store=Store(folder=arguments.runs / "determinism"))
    compared: list[determinism.CellComparison] = []
    base: launch.Launched | None = None
    for rerun in determinism.reruns(wanted, usable_cores()):
        launched = launch.launch(rerun.request)
        if was_interrupted(launched):
            return launched.exit_status
        if rerun.name == determinism.BASE:
            base, base_store = launched, rerun.request.store
        elif base:
            compared += determinism.compare(base.results, launched.results, rerun, base_store)
    print(determinism.render(compared))
    return int(not all(each.same_bits for each in compared if each.change == determinism.SAME))


def _measure_speed(chosen: Sequence[str], setting: Setting, arguments: argparse.Namespace) -> int:
    """Measure the comparisons one by one, and keep each as soon as it is measured."""
    found: list[SpeedRun] = []
    try:
        for timings in measure_speed(chosen, setting, arguments.rounds, _tell):
            run = SpeedRun(
                model_title=setting.backbone.title,
                steps=setting.steps,
                timings=tuple(timings),
                environment=describe(setting.runtime.device, setting.runtime.precision, onednn=setting.runtime.onednn),
                finished=datetime.now(UTC).isoformat(timespec="microseconds"),  # two may end in one second
            )
            _tell(str(write_speed_run(arguments.runs, run)))
            found.append(run)
    except KeyboardInterrupt:
        print(f"interrupted; {len(found)} comparisons were finished, and are kept", file=sys.stderr)
        return 130
    print(render_speed(found, arguments.format, width()))
    return 0


def _draw_growth(path: Path) -> int:
    """Draw what is in a file of `--growth`, beside it."""
    from benchmarks.report.figures.costs import growth_curves  # noqa: PLC0415  matplotlib is slow to load

    picture = path.with_suffix(".png")
    growth_curves(json.loads(path.read_text(encoding="utf-8")), picture)
    print(path, picture, sep="\n")
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
