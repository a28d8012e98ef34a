"""Commands that plan, train or measure."""

# ruff: noqa: T201  a command line prints

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

from tabulate import tabulate

from autolora.compute.clocks import Clocks
from autolora.compute.onednn import has_onednn
from autolora.compute.runtime import Runtime, TimingRun
from autolora.rank_search.config import SearchConfig
from autolora.training.cuda_graphs import has_graphs
from benchmarks.analysis.regression.comparison import check, exit_status
from benchmarks.cli.arguments import COST_TASKS, RANK_METHODS, layout
from benchmarks.cli.commands.printing import print_costs, print_ranks, print_tables, width
from benchmarks.core import registry
from benchmarks.core.nested import Table, build, merge
from benchmarks.core.settings import load_settings, parse_assignment, resolve
from benchmarks.data.models.backbones import open_backbone
from benchmarks.measure import determinism, floors
from benchmarks.measure.cost import TABLE_5, CostRequest, measure_costs, turns
from benchmarks.measure.engines import measure_engines, render_engines
from benchmarks.measure.speed.comparisons import COMPARISONS, Setting
from benchmarks.measure.speed.growth import growth_json, measure_growth
from benchmarks.measure.speed.run import measure_speed
from benchmarks.measure.turn_progress import turns_told
from benchmarks.report.check_report import render_check
from benchmarks.report.speed_report import render_speed
from benchmarks.run import launch, tune
from benchmarks.run.cache import open_materials
from benchmarks.run.cell import set_up
from benchmarks.run.forecast import forecast, render_forecasts
from benchmarks.run.launch import Request, Scope
from benchmarks.run.machine.environment import describe, resolve_device, resolve_precision, usable_cores
from benchmarks.run.plan import Assumptions, make_cells
from benchmarks.run.repeat import as_before, repetition
from benchmarks.store.cost_record import write_cost_run
from benchmarks.store.lookup import find_result
from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result
from benchmarks.store.speed_record import SpeedRun, write_speed_run
from benchmarks.store.store import Store, write_atomically
from benchmarks.tasks.metrics import java


def show_plan(arguments: argparse.Namespace) -> int:
    """Print the cells, which are done, and the time that the others will take."""
    assumed = Assumptions(rate=arguments.rate, published_rows=arguments.published_rows)
    plan, _ = launch.plan(replace(_request(arguments), assumed=assumed))
    rows = [
        (planned.cell.task, planned.cell.method, planned.cell.seed, _state(planned.result), _duration(planned.seconds))
        for planned in plan.cells
    ]
    left = sum(not planned.done for planned in plan.cells)
    print(tabulate(rows, headers=("task", "method", "seed", "state", "seconds")))
    print(f"\n{left} of {len(plan.cells)} cells to do, about {timedelta(seconds=round(plan.seconds))}, ", end="")
    print(f"{plan.workers} at a time, threads of each: {plan.threads}")
    if arguments.places:
        print("\n" + render_forecasts([forecast(plan.cells, places) for places in arguments.places]))
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Run what is not done, and print the table of all that was asked for."""
    request = _request(arguments)
    written = any(registry.task(task).head == "language" for scope in request.scopes for task in scope.tasks)
    if written and (problem := java.missing()):
        print(f"{problem}. Without them the other metrics are measured", file=sys.stderr)
    return _launch(request, lambda results: print_tables(results, layout(arguments), arguments.format))


def learn_ranks(arguments: argparse.Namespace) -> int:
    """Run searches and their controls where they are missing; print the learned ranks and what speaks for them."""
    request = _request(arguments)
    (scope,) = request.scopes
    learned, *controls = RANK_METHODS
    constant = parse_assignment(f"methods.{learned}.retrain.scaling=constant")
    settings = replace(scope.settings, layers=(*scope.settings.layers, constant))
    scopes = [
        Scope(settings=scope.settings, tasks=scope.tasks, methods=["autolora", *controls]),
        Scope(settings=settings, tasks=scope.tasks, methods=[learned, *controls]),
    ]
    return _launch(
        replace(request, scopes=scopes), lambda found: print_ranks(found, arguments.figures, arguments.format)
    )


def tune_rates(arguments: argparse.Namespace) -> int:
    """Try the preset's learning rates on a held-out part of train, and print which were best."""
    request = _request(arguments)
    (scope,) = request.scopes
    scopes = [
        Scope(settings=settings, tasks=[task], methods=[method])
        for task in scope.tasks
        for method, settings in tune.trials(scope.settings, scope.methods)
    ]
    return _launch(replace(request, scopes=scopes), lambda found: print(tune.render(found)))


def show_determinism(arguments: argparse.Namespace) -> int:
    """Run cells twice, and with other batches and threads; print what differs. 1: the same twice gave other bits."""
    request = _request(arguments)
    request = replace(request, store=Store(folder=request.store.folder / "determinism"))
    compared: list[determinism.Compared] = []
    base: Sequence[Result] = ()
    for rerun in determinism.reruns(request, usable_cores()):
        launched = launch.launch(rerun.request)
        if launched.interrupted:
            print(f"{launched.interrupted}; the same command goes on from there", file=sys.stderr)
            return launched.exit_status
        if rerun.name == determinism.BASE:
            base, base_store = launched.results, rerun.request.store
        else:
            compared += determinism.compare(base, launched.results, rerun, base_store)
    print(determinism.render(compared))
    return int(not all(each.same_bits for each in compared if each.says == determinism.SAME))


def repeat_cell(arguments: argparse.Namespace) -> int:
    """Run a finished cell again, with all its settings, and compare; the exit status is that of `check`."""
    folder, result = find_result(arguments.cell, arguments.results)
    changes = {name: value for name in ("data", "device") if (value := getattr(arguments, name))}
    beside = Store(folder=folder.parents[2])
    launched = launch.launch(repetition(result, beside.results(), changes, Store(folder=arguments.runs)))
    if launched.interrupted:
        print(f"{launched.interrupted}; the same command goes on from there", file=sys.stderr)
        return launched.exit_status
    checks = check(as_before(launched.results, result), [result], [(result.task, result.method)])
    print(render_check(checks, arguments.format, width()))
    return exit_status(checks)


def cost(arguments: argparse.Namespace) -> int:
    """Measure what methods cost, keep it, and print Table 5."""
    options = merge(_command_line(arguments), {"run": {"seeds": list(range(arguments.rounds))}})
    settings = load_settings(arguments.preset, options)
    request = CostRequest(
        settings=settings,
        tasks=_known("task", arguments.tasks or COST_TASKS, registry.task_names()),
        methods=_known("method", arguments.methods or TABLE_5, registry.method_names()),
        timing_run=None if arguments.measured else TimingRun(steps=arguments.steps, warmup=arguments.warmup),
        threads=usable_cores(),
        store=Store(folder=arguments.runs),
    )
    try:
        with turns_told(turns(request)) as tell:
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
    chosen = _known("comparison", arguments.only or list(COMPARISONS), list(COMPARISONS))
    device = resolve_device(arguments.device)
    precision = resolve_precision(arguments.precision, device)
    open_materials(usable_cores())
    backbone = open_backbone(arguments.model)
    fastest = {"graphs": has_graphs(device), "onednn": has_onednn(device)}
    runtime = Runtime(device=device, precision=precision, **fastest)  # type: ignore[arg-type]
    setting = Setting(backbone=backbone, runtime=runtime, steps=arguments.steps)
    where = describe(device, precision)

    def tell(text: str) -> None:
        print(text, file=sys.stderr)

    if arguments.growth:
        growth = measure_growth(setting, where, arguments.rounds, tell)
        write_atomically(arguments.growth, growth_json(growth).encode())
        return show_growth(arguments.growth)
    found = []
    try:
        for timings in measure_speed(chosen, setting, arguments.rounds, tell):
            run = SpeedRun(
                model_title=backbone.title,
                steps=arguments.steps,
                timings=tuple(timings),
                environment=where,
                finished=datetime.now(UTC).isoformat(timespec="microseconds"),  # two may end in one second
            )
            tell(str(write_speed_run(arguments.runs, run)))
            found.append(run)
    except KeyboardInterrupt:
        print(f"interrupted; {len(found)} comparisons were finished, and are kept", file=sys.stderr)
        return 130
    print(render_speed(found, arguments.format, width()))
    return 0


def show_growth(path: Path) -> int:
    """Draw what is in a file of `--growth`, beside it."""
    from benchmarks.report.figures import growth_curves  # noqa: PLC0415  matplotlib is slow to load

    picture = path.with_suffix(".png")
    growth_curves(json.loads(path.read_text(encoding="utf-8")), picture)
    print(path, picture, sep="\n")
    return 0


def show_engines(arguments: argparse.Namespace) -> int:
    """Print how exact and how fast the hypergradient's engines are on the first task's data."""
    scope = _request(arguments).scopes[0]
    materials = open_materials(usable_cores())
    cell = make_cells(scope.settings, scope.tasks[:1], ["autolora"], materials)[0]
    store = Store(folder=arguments.runs)
    setup = set_up(cell, materials, store, clocks=Clocks(), progress=lambda _: None, stop=lambda: False)
    where = cell.environment
    line = (
        f"{setup.task.title}, {setup.data.source.split()[0]}, {setup.backbone.title}, {where.device_name}, "
        f"threads: {where.threads}, torch {where.packages['torch']}."
    )
    config = build(SearchConfig, cell.config["method"]["search"], "search")
    print(render_engines(measure_engines(setup.problem, config), line))
    return 0


def show_worth(arguments: argparse.Namespace) -> int:
    """Print what can be scored without fine-tuning, beside the results of full fine-tuning at hand."""
    request = _request(arguments)
    scope = request.scopes[0]
    conditions = {task: resolve(scope.settings, task, "full") for task in scope.tasks}
    results = [result for result in request.store.results() if result.preset == arguments.preset]
    print(floors.render(conditions, results, open_materials(usable_cores())))
    return 0


def _request(arguments: argparse.Namespace) -> Request:
    scope = Scope(
        settings=load_settings(arguments.preset, _command_line(arguments)),
        tasks=_known_tasks(arguments, layout(arguments)),
        methods=_known_methods(arguments, layout(arguments)),
    )
    return Request(
        scopes=[scope],
        store=Store(folder=arguments.runs),
        workers=arguments.workers,
        shard=arguments.shard,
        quiet=arguments.quiet,
        ray=getattr(arguments, "ray", None),  # not all commands have it
    )


def _launch(request: Request, show: Callable[[Sequence[Result]], None]) -> int:
    launched = launch.launch(request)
    if launched.interrupted:
        print(f"{launched.interrupted}; the same command goes on from there", file=sys.stderr)
    else:
        show(launched.results)
    return launched.exit_status


def _command_line(arguments: argparse.Namespace) -> Table:
    """The options as a table in a preset's layout."""
    run = {
        name: getattr(arguments, name)
        for name in ("seeds", "model", "data", "partial", "precision", "device", "track", "max_length")
    }
    training = {name: getattr(arguments, name) for name in ("max_steps", "batch_size")}
    options: Table = {
        section: {name: value for name, value in table.items() if value is not None}
        for section, table in (("run", run), ("training", training), ("protocol", {"base": arguments.protocol}))
    }
    if arguments.grid is not None:
        options = merge(options, {"methods": {"lora_grid": {"ranks": arguments.grid}}})
    if arguments.stack is not None:
        options = merge(options, {"methods": {"lora_grid": {"stack": {"members": arguments.stack}}}})
    return reduce(merge, map(parse_assignment, arguments.set), options)


def _known_tasks(arguments: argparse.Namespace, table: PublishedTable) -> list[str]:
    return _known("task", arguments.tasks or table.tasks, registry.task_names())


def _known_methods(arguments: argparse.Namespace, table: PublishedTable) -> list[str]:
    return _known("method", arguments.methods or table.methods, registry.method_names())


def _known(kind: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in names:
        if name not in known:
            raise registry.unknown_name(kind, name, known)
    return list(dict.fromkeys(names))


def _state(result: Result | None) -> str:
    if result is None:
        return "to do"
    return "done" if result.status == "done" else "to do, failed before"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}"


COMMANDS = {
    "plan": show_plan,
    "run": run,
    "ranks": learn_ranks,
    "tune": tune_rates,
    "determinism": show_determinism,
    "repeat": repeat_cell,
    "cost": cost,
    "speed": show_speed,
    "engines": show_engines,
    "worth": show_worth,
}
"""Name -> command, which returns the exit status."""
