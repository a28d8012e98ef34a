"""Commands that read data and results, and never load torch."""

# ruff: noqa: T201  a command line prints

import argparse
import json
import sys
import textwrap

from tabulate import tabulate

from benchmarks.analysis.audit.run import audit, render_audit
from benchmarks.analysis.stats import groups
from benchmarks.cli.arguments import RANK_METHODS, layout
from benchmarks.cli.commands.printing import print_costs, print_protocols, print_ranks, print_tables, width
from benchmarks.core import registry
from benchmarks.core.protocols import NO_SWITCH, switch_rows
from benchmarks.core.settings import preset_names
from benchmarks.core.spec import InputError
from benchmarks.core.untrusted import printable
from benchmarks.report.cell_report import cell_report, render_cell
from benchmarks.report.reach import reached, render_reached
from benchmarks.report.speed_report import render_speed
from benchmarks.store import promote
from benchmarks.store.cost_record import cost_runs
from benchmarks.store.lookup import find_result
from benchmarks.store.published import PublishedTable, published_table, published_tables, score_tables
from benchmarks.store.result import Result
from benchmarks.store.shards import merge
from benchmarks.store.speed_record import speed_runs
from benchmarks.store.store import Store, stores_in


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
    print(render_audit(audit(), arguments.format, width()))
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Print the table of the results at hand."""
    if arguments.costs:
        return _report_costs(arguments)
    if arguments.speed:
        return _report_speed(arguments)
    results = [result for result in Store(folder=arguments.runs).results() if _wanted(result, arguments)]
    methods = () if arguments.ranks or arguments.methods else _methods_elsewhere(layout(arguments))
    tasks = () if arguments.ranks or arguments.tasks else _tasks_elsewhere(layout(arguments))
    shown = [result for result in results if result.method not in methods and result.task not in tasks]
    if not shown:
        raise InputError(f"{arguments.runs} has no such result; `run` makes them, --runs names another folder")
    if arguments.reach is not None:
        print(render_reached(reached(shown, arguments.reach), arguments.reach))
    elif arguments.ranks:
        print_ranks(shown, arguments.figures, arguments.format)
    elif arguments.protocols:
        print_protocols(shown, Store(folder=arguments.runs), arguments.format)
    else:
        print_tables(shown, layout(arguments), arguments.format)
    return 0


def _report_costs(arguments: argparse.Namespace) -> int:
    runs = [run for run in cost_runs(arguments.runs) if not arguments.preset or run.preset == arguments.preset]
    if not runs:
        raise InputError(f"{arguments.runs} has no cost run; `cost` makes one, --runs names another folder")
    print_costs(runs, arguments.format)
    return 0


def _report_speed(arguments: argparse.Namespace) -> int:
    runs = speed_runs(arguments.runs)
    if not runs:
        raise InputError(f"{arguments.runs} has no speed run; `speed` makes one, --runs names another folder")
    print(render_speed(runs, arguments.format, width()))
    return 0


def show_cell(arguments: argparse.Namespace) -> int:
    """Print everything that is known of one cell."""
    folder, result = find_result(arguments.cell, arguments.results)
    print(render_cell(cell_report(result, folder), arguments.format))
    return 0


def write_report_page(arguments: argparse.Namespace) -> int:
    """Write the page of all results, one file that needs nothing else."""
    from benchmarks.report.page.content import page_content  # noqa: PLC0415  scipy and matplotlib are slow to load
    from benchmarks.report.page.write import write_page  # noqa: PLC0415  likewise

    write_page(page_content(arguments.runs), arguments.to)
    print(arguments.to)
    return 0


def merge_shards(arguments: argparse.Namespace) -> int:
    """Join the stores of shards; the exit status is 1 where a cell of the plan is missing or failed."""
    merged = merge(arguments.shards, Store(folder=arguments.runs))
    print(f"{merged.copied} results copied to {arguments.runs}, {merged.known} were there")
    for words, names in (
        ("shards that were not given", map(str, merged.absent)),
        ("cells that are not there", merged.missing),
        ("cells that failed", merged.failed),
    ):
        if listed := list(names):
            print(printable(f"{words}: {', '.join(listed)}"), file=sys.stderr)
    if merged.complete:
        print("every cell of the plan is there")
    return int(not merged.complete)


def draw_figures(arguments: argparse.Namespace) -> int:
    """Draw all figures, one folder per preset, protocol, backbone and kind of data."""
    from benchmarks.report.page.content import Part  # noqa: PLC0415  scipy and matplotlib are slow to load
    from benchmarks.report.page.figures import write_figures  # noqa: PLC0415  likewise

    parts = {}
    for store in stores_in(arguments.runs):
        for group in groups(store.results()):
            first = group[0]
            name = f"{first.preset}-{first.protocol}-{first.model_title}-{first.data_source.split()[0]}"
            folder = "".join(sign if sign.isalnum() else "-" for sign in name.lower())
            parts[arguments.to / folder] = Part(results=group, store=store).drawings
    for path in write_figures(parts, arguments.endings):
        print(path)
    return 0


def promote_results(arguments: argparse.Namespace) -> int:
    """Copy finished results from a clean tree to the reference; the exit status is 1 where one was left out."""
    store = Store(folder=arguments.runs)
    if arguments.costs:
        written, left_out = promote.promote_costs(store, arguments.to, arguments.preset)
    elif arguments.speed:
        written, left_out = promote.promote_speed(store, arguments.to)
    else:
        written, left_out = promote.promote(store, arguments.to, lambda result: _wanted(result, arguments))
    for path in written:
        print(path)
    for reason in left_out:
        print(printable(f"left out: {reason}"), file=sys.stderr)
    return int(bool(left_out) or not written)


def _methods_elsewhere(layout: PublishedTable) -> set[str]:
    """Methods that belong to other tables of scores, or to figures, than this one."""
    tables = [published_table(number) for number in published_tables()]
    others = {method for known in tables if "cost" not in known.columns for method in known.shown}
    return others.union(RANK_METHODS).difference(layout.shown)


def _tasks_elsewhere(layout: PublishedTable) -> set[str]:
    """Tasks that belong to other tables of scores than this one."""
    others = {task for number in score_tables() for task in published_table(number).tasks}
    return others.difference(layout.tasks)


def _wanted(result: Result, arguments: argparse.Namespace) -> bool:
    return (
        (not arguments.tasks or result.task in arguments.tasks)
        and (not arguments.methods or result.method in arguments.methods)
        and (not arguments.preset or result.preset == arguments.preset)
    )


COMMANDS = {
    "list": list_known,
    "audit": show_audit,
    "protocols": show_protocols,
    "report": report,
    "show": show_cell,
    "merge": merge_shards,
    "page": write_report_page,
    "figures": draw_figures,
    "promote": promote_results,
}
"""Name -> command, which returns the exit status."""
