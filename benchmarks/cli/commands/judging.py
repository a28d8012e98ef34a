"""Commands that say what results are worth, by statistics; they never load torch."""

# ruff: noqa: T201  a command line prints

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.analysis.claims.claim import read_claims
from benchmarks.analysis.claims.evidence import Evidence
from benchmarks.analysis.claims.run import examine_claims
from benchmarks.analysis.regression.comparison import check, exit_status
from benchmarks.analysis.regression.costs import check_costs, refusals, stack
from benchmarks.analysis.regression.power import scenarios
from benchmarks.analysis.stats import groups, summarise
from benchmarks.cli import scope as asked
from benchmarks.cli.commands.printing import width
from benchmarks.core.settings import preset_name
from benchmarks.core.spec import InputError
from benchmarks.report.check_report import render_check, render_cost_check, render_power
from benchmarks.report.claim_report import render_claims
from benchmarks.report.cost_report import REFERENCE
from benchmarks.report.pair_report import Pairs, pair_rows, render_pairs
from benchmarks.report.verdict_report import judge, render_verdicts
from benchmarks.store.cost_record import cost_runs, cost_runs_like
from benchmarks.store.published import published_table, score_tables
from benchmarks.store.result import Result
from benchmarks.store.speed_record import speed_runs_like
from benchmarks.store.store import Store, stores_in

SIMULATED_CHECKS = 10_000
"""The standard error of a share of 1% is 0.1%."""


def show_verdicts(arguments: argparse.Namespace) -> int:
    """Print what results say of each published number."""
    tables = [published_table(number) for number in ([arguments.table] if arguments.table else score_tables())]
    margin = read_claims().margin
    judged = [judge(results, tables, margin) for results, _ in _groups(arguments)]
    print(render_verdicts(judged, margin, arguments.format, width()))
    return 0


def show_claims(arguments: argparse.Namespace) -> int:
    """Print what results say of the paper's claims."""
    claims = read_claims()
    examined = [
        examine_claims(
            claims,
            Evidence(
                results=results,
                store=store,
                costs=cost_runs_like(store.folder, results[0]),
                speeds=speed_runs_like(store.folder, results[0]),
                margin=claims.margin,
            ),
        )
        for results, store in _groups(arguments)
    ]
    print(render_claims(examined, arguments.format, width()))
    return 0


def show_pairs(arguments: argparse.Namespace) -> int:
    """Print paired tests of two methods."""
    if len(arguments.methods) != 2:
        raise InputError(f"compare takes two methods, as in --methods autolora,lora; got {','.join(arguments.methods)}")
    margin, found = read_claims().margin, []
    for results, store in _groups(arguments):
        evidence = Evidence(results=results, store=store, costs=[], speeds=[], margin=margin)
        tasks = arguments.tasks or dict.fromkeys(result.task for result in results)
        rows = pair_rows(evidence, tasks, *arguments.methods)
        titles = {result.method: result.method_title for result in results}
        first, second = (titles.get(method, method) for method in arguments.methods)
        title = f"{results[0].model_title}, preset {results[0].preset}, protocol {results[0].protocol}"
        if rows:
            found.append(Pairs(title=title, methods=(first, second), rows=rows))
    if not found:
        one, other = arguments.methods
        raise InputError(
            f"no task has results of both {one} and {other} at the same seed; run --methods {one},{other} first"
        )
    print(render_pairs(found, arguments.format, width()))
    return 0


def show_check(arguments: argparse.Namespace) -> int:
    """Compare results at hand with the reference.

    The exit status is 0 where all is as before, 1 where something moved, 2 where something cannot be compared.
    """
    if not arguments.costs:
        return compare_with_reference(arguments, list(product(*asked.tasks_and_methods(arguments))))
    if arguments.table is not None or arguments.tasks or arguments.methods or arguments.seeds:
        raise InputError("--costs compares a whole cost run: leave out --table, --tasks, --methods and --seeds")
    return _check_costs(arguments, _reference(arguments))


def show_power(_: argparse.Namespace) -> int:
    """Print what the check finds and how often it raises a false alarm, by simulation."""
    table = published_table(1)
    known = summarise(Store(folder=asked.REFERENCE / "quick").results())
    cells = [known[pair] for pair in product(table.tasks, table.methods) if pair in known]
    print(render_power(scenarios(cells), SIMULATED_CHECKS, width()))
    return 0


def compare_with_reference(arguments: argparse.Namespace, pairs: Sequence[tuple[str, str]]) -> int:
    """Print which cells of some (task, method) moved against the reference; returns the exit status of `check`."""
    preset = preset_name(arguments.preset)
    candidates = [
        result
        for result in Store(folder=arguments.runs).results()
        if result.preset == preset and (not arguments.seeds or result.seed in arguments.seeds)
    ]
    checks = check(candidates, Store(folder=_reference(arguments)).results(), pairs)
    print(render_check(checks, arguments.format, width()))
    return exit_status(checks)


def _reference(arguments: argparse.Namespace) -> Path:
    """The folder that --reference names, else that of the preset, which may be empty."""
    named = getattr(arguments, "reference", None)
    return asked.reference_folder(named) if named else asked.REFERENCE / preset_name(arguments.preset)


def _check_costs(arguments: argparse.Namespace, reference: Path) -> int:
    """The newest cost run at hand against the newest reference that may be compared with it."""
    candidates = [run for run in cost_runs(arguments.runs) if run.preset == preset_name(arguments.preset)]
    if not candidates:
        raise InputError(f"{arguments.runs} has no cost run of preset {arguments.preset}; `measure cost` makes one")
    newest, known = candidates[-1], cost_runs(reference)
    comparable = [run for run in known if not refusals(newest, run, REFERENCE)]
    if not comparable:
        reasons = refusals(newest, known[-1], REFERENCE) if known else ["there is no reference"]
        print(f"not comparable: {'; '.join(reasons)}")
        return 2
    checks = check_costs(newest, comparable[-1], REFERENCE)
    changes = stack(newest, comparable[-1])
    print(render_cost_check(checks, newest.methods[REFERENCE], changes, arguments.format, width()))
    return int(any(each.moved for each in checks))


def _groups(arguments: argparse.Namespace) -> list[tuple[list[Result], Store]]:
    """Results of one preset, protocol, backbone and kind of data, with their store."""
    stores = stores_in(asked.results_folder(arguments))
    return [(group, store) for store in stores for group in groups(store.results())]
