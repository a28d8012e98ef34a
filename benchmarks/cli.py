"""The command line: list, audit, protocols, plan, run, ranks, tune, engines, worth, report, promote."""

# ruff: noqa: T201  a command line prints

import argparse
import errno
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from benchmarks import promote, registry, tune
from benchmarks.audit.run import audit, render_audit
from benchmarks.nested import Table, build, merge
from benchmarks.protocols import NO_SWITCH, switch_rows
from benchmarks.published import RESULTS, PublishedTable, published_table, published_tables
from benchmarks.registry import canonical
from benchmarks.report.render import FORMATS, render
from benchmarks.report.score_table import score_tables
from benchmarks.result import Result
from benchmarks.settings import load_settings, parse_assignment, preset_names
from benchmarks.spec import InputError
from benchmarks.store import Store

if TYPE_CHECKING:
    from benchmarks.launch import Request

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)
RANK_CONTROLS = ("lora_shuffled_ranks", "lora_random_ranks", "lora_uniform_matched")
"""Methods beside AutoLoRA in the analysis of learned ranks."""
TERMINAL = (120, 24)
"""Columns and lines where there is no terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status: 0, 1 (a cell failed), 2 (the input is at fault)."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.command(parsed))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(f"error: cannot write {error.filename or 'to the disk'}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 2


def list_known(_: argparse.Namespace) -> int:
    """Print the names of tasks, methods and presets."""
    for kind, names in (
        ("tasks", registry.task_names()),
        ("methods", registry.method_names()),
        ("presets", preset_names()),
    ):
        print(f"{kind}: {' '.join(names)}")
    return 0


def show_protocols(arguments: argparse.Namespace) -> int:
    """Print the switches, their values under each protocol, and what no switch stands for."""
    rows = [{**row, "about": textwrap.fill(row["about"], 60)} for row in switch_rows()]
    form = {"text": "simple", "markdown": "github", "json": "json"}[arguments.format]
    if form == "json":
        print(json.dumps(switch_rows(), indent=1))
        return 0
    if form == "github":
        rows = switch_rows()
    print(tabulate(rows, headers="keys", tablefmt=form, disable_numparse=True))
    print("\n" + "\n".join(f"Row {row} is no switch: {why}." for row, why in NO_SWITCH.items()))
    return 0


def show_audit(arguments: argparse.Namespace) -> int:
    """Print what follows from the paper's own numbers."""
    print(render_audit(audit(), arguments.format, _width()))
    return 0


def show_plan(arguments: argparse.Namespace) -> int:
    """Print the cells, which are done, and the time that the others will take."""
    from benchmarks.launch import plan as make_plan  # noqa: PLC0415  only what computes loads torch

    plan, _ = make_plan(_request(arguments))
    rows = [
        (planned.cell.task, planned.cell.method, planned.cell.seed, _state(planned.result), _duration(planned.seconds))
        for planned in plan.cells
    ]
    left = sum(not planned.done for planned in plan.cells)
    print(tabulate(rows, headers=("task", "method", "seed", "state", "seconds")))
    print(f"\n{left} of {len(plan.cells)} cells to do, about {timedelta(seconds=round(plan.seconds))}, ", end="")
    print(f"{plan.workers} at a time, threads of each: {plan.threads}")
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Run what is not done, and print the table of all that was asked for."""
    return _launch(_request(arguments), lambda results: _print_tables(results, arguments))


def learn_ranks(arguments: argparse.Namespace) -> int:
    """Run searches and their controls where they are missing; print the learned ranks and what speaks for them."""
    from benchmarks.launch import Scope  # noqa: PLC0415  only what computes loads torch

    request = _request(arguments)
    (scope,) = request.scopes
    constant = parse_assignment("methods.lora_learned_ranks.retrain.scaling=constant")
    settings = replace(scope.settings, layers=(*scope.settings.layers, constant))
    scopes = [
        Scope(settings=scope.settings, tasks=scope.tasks, methods=["autolora", *RANK_CONTROLS]),
        Scope(settings=settings, tasks=scope.tasks, methods=["lora_learned_ranks", *RANK_CONTROLS]),
    ]
    return _launch(replace(request, scopes=scopes), lambda found: _print_ranks(found, arguments.figures))


def tune_rates(arguments: argparse.Namespace) -> int:
    """Try the preset's learning rates on a held-out part of train, and print which were best."""
    from benchmarks.launch import Scope  # noqa: PLC0415  only what computes loads torch

    request = _request(arguments)
    (scope,) = request.scopes
    scopes = [
        Scope(settings=settings, tasks=[task], methods=[method])
        for task in scope.tasks
        for method, settings in tune.trials(scope.settings, scope.methods)
    ]
    return _launch(replace(request, scopes=scopes), lambda found: print(tune.render(found)))


def show_engines(arguments: argparse.Namespace) -> int:
    """Print how exact and how fast the hypergradient's engines are on the first task's data."""
    from autolora.search_config import SearchConfig  # noqa: PLC0415  only what computes loads torch
    from benchmarks.engines import measure_engines, render_engines  # noqa: PLC0415
    from benchmarks.environment import usable_cores  # noqa: PLC0415
    from benchmarks.materials import open_materials  # noqa: PLC0415
    from benchmarks.plan import make_cells  # noqa: PLC0415
    from benchmarks.run import Bench  # noqa: PLC0415

    scope = _request(arguments).scopes[0]
    materials = open_materials(usable_cores())
    cell = make_cells(scope.settings, scope.tasks[:1], ["autolora"], materials)[0]
    store = Store(folder=arguments.runs)
    bench = Bench.set_up(cell, materials, store, progress=lambda _: None, stop=lambda: False)
    where = cell.environment
    line = (
        f"{bench.task.title}, {bench.data.source.split()[0]}, {bench.backbone.title}, {where.device_name}, "
        f"threads: {where.threads}, torch {where.packages['torch']}."
    )
    config = build(SearchConfig, cell.config["method"]["search"], "search")
    print(render_engines(measure_engines(bench.problem, config), line))
    return 0


def show_worth(arguments: argparse.Namespace) -> int:
    """Print what can be scored without fine-tuning, beside the results of full fine-tuning at hand."""
    from benchmarks import worth  # noqa: PLC0415  only what computes loads torch
    from benchmarks.environment import usable_cores  # noqa: PLC0415  only what computes loads torch
    from benchmarks.materials import open_materials  # noqa: PLC0415

    request = _request(arguments)
    run = request.scopes[0].settings.section("run")
    results = [result for result in request.store.results() if result.preset == arguments.preset]
    materials = open_materials(usable_cores())
    print(worth.render(request.scopes[0].tasks, results, materials, data=run["data"], model=run["model"]))
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Print the table of the results at hand."""
    results = [result for result in Store(folder=arguments.runs).results() if _wanted(result, arguments)]
    elsewhere = () if arguments.ranks or arguments.methods else _methods_elsewhere(arguments.table)
    shown = [result for result in results if result.method not in elsewhere]
    if not shown:
        raise InputError(f"{arguments.runs} has no such result; `run` makes them, --runs names another folder")
    if arguments.ranks:
        _print_ranks(shown, arguments.figures)
    else:
        _print_tables(shown, arguments)
    return 0


def promote_results(arguments: argparse.Namespace) -> int:
    """Copy finished results from a clean tree to the reference; the exit status is 1 where one was left out."""
    store = Store(folder=arguments.runs)
    written, left_out = promote.promote(store, arguments.to, lambda result: _wanted(result, arguments))
    for path in written:
        print(path)
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    return int(bool(left_out) or not written)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The benchmark of AutoLoRA.")
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser("list", help="names of tasks, methods and presets")
    listing.set_defaults(command=list_known)
    auditing = commands.add_parser("audit", help="what follows from the paper's own numbers, without any training")
    auditing.set_defaults(command=show_audit)
    _add_format(auditing)
    protocols = commands.add_parser("protocols", help="what paper, released code and clean procedure differ in")
    protocols.set_defaults(command=show_protocols)
    _add_format(protocols)
    for name, command, text in (
        ("plan", show_plan, "the cells, which are done, and how long the others will take"),
        ("run", run, "run what is not done, then print the table"),
        ("ranks", learn_ranks, "learned ranks (Figure 3): searches, and controls that show what the ranks are worth"),
        ("tune", tune_rates, "try learning rates on a held-out part of the training sets"),
        ("engines", show_engines, "how exact and how fast the hypergradient's engines are"),
        ("worth", show_worth, "how far one gets without fine-tuning: is a task worth learning?"),
    ):
        computing = commands.add_parser(name, help=text)
        computing.set_defaults(command=command)
        _add_scope(computing)
        _add_settings(computing)
        _add_format(computing)
        if name == "ranks":
            _add_figures(computing)
    reporting = commands.add_parser("report", help="print the table of the results at hand")
    reporting.set_defaults(command=report)
    _add_scope(reporting)
    _add_format(reporting)
    reporting.add_argument("--preset", help="only results that started from this preset")
    reporting.add_argument("--ranks", action="store_true", help="the learned ranks (Figure 3) instead of a table")
    _add_figures(reporting)
    promoting = commands.add_parser("promote", help="copy finished results to results/reference")
    promoting.set_defaults(command=promote_results)
    _add_scope(promoting)
    promoting.add_argument("--preset", help="only results that started from this preset")
    promoting.add_argument("--to", type=Path, default=RESULTS / "reference", metavar="DIR", help="where to")
    return parser


def _add_scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", type=int, default=1, help="table of the paper: its tasks, methods and layout")
    parser.add_argument("--tasks", type=_names, metavar="A,B", help="tasks instead of the table's")
    parser.add_argument("--methods", type=_names, metavar="A,B", help="methods instead of the table's")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of results")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", default="quick", help="settings to start from, a name or a .toml file")
    parser.add_argument("--protocol", help="paper, released or clean; the preset's own, else clean")
    parser.add_argument("--seeds", type=_seeds, metavar="N|A,B", help="how many seeds, from 0, or which ones")
    parser.add_argument("--model", help="minilm, a Hub id, a local folder, or random:ARCHITECTURE")
    parser.add_argument("--data", help="embedded, hub, or a folder in the official layout")
    parser.add_argument("--partial", action="store_const", const=True, help="allow samples of splits")
    parser.add_argument("--precision", help="fp32, bf16 or auto")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 or auto")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="cells at a time, sharing the cores (one per core; on a GPU one)"
    )
    parser.add_argument("--max-length", type=int, metavar="N", help="tokens per example")
    parser.add_argument("--max-steps", type=int, metavar="N", help="at most so many steps per stage, for trials")
    parser.add_argument("--batch-size", type=int, metavar="N", help="examples per step")
    parser.add_argument(
        "--set", type=str, action="append", default=[], metavar="KEY=VALUE", help="any setting, by its dotted name"
    )


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="text", help="of the table")


def _add_figures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw the learned ranks and the searches there")


def _methods_elsewhere(table: int) -> set[str]:
    """Methods that belong to other tables or figures than this one."""
    others = {method for number in published_tables() if number != table for method in published_table(number).methods}
    return others.union(RANK_CONTROLS, ["lora_learned_ranks"]).difference(published_table(table).methods)


def _names(text: str) -> list[str]:
    return [canonical(name) for name in text.split(",") if name.strip()]


def _seeds(text: str) -> list[int]:
    """Seeds 0, 1, 2 from "3"; 3 alone from "3,"; 5 and 7 from "5,7"."""
    if text.isdigit() and int(text) > 0:
        return list(range(int(text)))
    seeds = [int(part) for part in text.split(",") if part.strip()]
    if "," not in text or not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"seeds are a number of seeds, or different seeds as in 0,1; got {text!r}")
    return seeds


def _request(arguments: argparse.Namespace) -> "Request":
    from benchmarks.launch import Request, Scope  # noqa: PLC0415  only what computes loads torch

    table = published_table(arguments.table)
    scope = Scope(
        settings=load_settings(arguments.preset, _command_line(arguments)),
        tasks=_known_tasks(arguments, table),
        methods=_known_methods(arguments, table),
    )
    return Request(scopes=[scope], store=Store(folder=arguments.runs), workers=arguments.workers)


def _launch(request: "Request", show: Callable[[Sequence[Result]], None]) -> int:
    from benchmarks.launch import launch  # noqa: PLC0415  only what computes loads torch

    launched = launch(request)
    if launched.interrupted:
        print(f"{launched.interrupted}; the same command goes on from there", file=sys.stderr)
    else:
        show(launched.results)
    return launched.exit_status


def _command_line(arguments: argparse.Namespace) -> Table:
    """The options as a table in a preset's layout."""
    run = {
        name: getattr(arguments, name)
        for name in ("seeds", "model", "data", "partial", "precision", "device", "max_length")
    }
    training = {name: getattr(arguments, name) for name in ("max_steps", "batch_size")}
    options = {
        section: {name: value for name, value in table.items() if value is not None}
        for section, table in (("run", run), ("training", training), ("protocol", {"base": arguments.protocol}))
    }
    return reduce(merge, map(parse_assignment, arguments.set), options)


def _known_tasks(arguments: argparse.Namespace, table: PublishedTable) -> list[str]:
    return _known("task", arguments.tasks or list(table.columns), registry.task_names())


def _known_methods(arguments: argparse.Namespace, table: PublishedTable) -> list[str]:
    return _known("method", arguments.methods or table.methods, registry.method_names())


def _known(kind: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in names:
        if name not in known:
            raise registry.unknown_name(kind, name, known)
    return list(dict.fromkeys(names))


def _wanted(result: Result, arguments: argparse.Namespace) -> bool:
    return (
        (not arguments.tasks or result.task in arguments.tasks)
        and (not arguments.methods or result.method in arguments.methods)
        and (not arguments.preset or result.preset == arguments.preset)
    )


def _print_tables(results: Sequence[Result], arguments: argparse.Namespace) -> None:
    tables = score_tables(results, published_table(arguments.table))
    print(render(tables, arguments.format, _width()))


def _print_ranks(results: Sequence[Result], figures: Path | None) -> None:
    from benchmarks.report.rank_report import rank_report, render_ranks  # noqa: PLC0415  scipy is slow to load

    searches = [result for result in results if result.status == "done" and result.method == "autolora"]
    if not searches:
        raise InputError("no finished search of autolora is at hand; `ranks` runs them")
    found = rank_report(results)
    print(render_ranks(found))
    if figures:
        from benchmarks.report.figures import rank_heatmap, search_course  # noqa: PLC0415  matplotlib is slow to load

        paths = {figures / "ranks.png": partial(rank_heatmap, found)}
        for task in found.tasks:
            of_task = [result for result in searches if result.task == task.task]
            paths[figures / f"search_{task.task}.png"] = partial(search_course, of_task)
        for path, draw in paths.items():
            draw(path)
            print(path)


def _width() -> int:
    return shutil.get_terminal_size(TERMINAL).columns if sys.stdout.isatty() else TERMINAL[0]


def _state(result: Result | None) -> str:
    if result is None:
        return "to do"
    return "done" if result.status == "done" else "to do, failed before"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}"
