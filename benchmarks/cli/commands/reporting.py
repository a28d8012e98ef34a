"""Commands that lay results out; they never load torch."""

# ruff: noqa: T201  a command line prints

import argparse
from collections.abc import Iterable

from benchmarks.cli import scope as asked
from benchmarks.cli.commands.printing import print_costs, print_ranks, print_scores, width
from benchmarks.core.spec import InputError
from benchmarks.report.speed_report import render_speed
from benchmarks.report.time_to_score import render_times, times_to_score
from benchmarks.store.cost_record import cost_runs
from benchmarks.store.published import PublishedTable, shown_tables
from benchmarks.store.result import Result
from benchmarks.store.speed_record import speed_runs
from benchmarks.store.store import Store


def show_tables(arguments: argparse.Namespace) -> int:
    """Print results in the layout of a table, or of a figure of scores."""
    print_scores(_of_table(arguments), asked.layout(arguments), arguments.format)
    return 0


def show_ranks(arguments: argparse.Namespace) -> int:
    """Print the learned ranks, how far searches agree, and what the controls score."""
    results = asked.wanted(Store(folder=arguments.runs).results(), arguments)
    print_ranks(_some(results, arguments), None, arguments.format)
    return 0


def show_protocols(arguments: argparse.Namespace) -> int:
    """Print how much of the scores is the protocol."""
    from benchmarks.report.protocol_report import protocol_rows, render_protocol_effects  # noqa: PLC0415  scipy is slow to load

    rows = protocol_rows(_of_table(arguments), Store(folder=arguments.runs).predictions)
    print(render_protocol_effects(rows, arguments.format, width()))
    return 0


def show_time_to_score(arguments: argparse.Namespace) -> int:
    """Print the training time until a score is reached."""
    print(render_times(times_to_score(_of_table(arguments), arguments.score), arguments.score))
    return 0


def show_costs(arguments: argparse.Namespace) -> int:
    """Print what methods cost."""
    runs = cost_runs(arguments.runs)
    if not runs:
        raise InputError(f"{arguments.runs} has no cost run; `measure cost` makes one, --runs names another folder")
    print_costs(runs, arguments.format)
    return 0


def show_speed(arguments: argparse.Namespace) -> int:
    """Print times against other implementations."""
    runs = speed_runs(arguments.runs)
    if not runs:
        raise InputError(f"{arguments.runs} has no speed run; `measure speed` makes one, --runs names another folder")
    print(render_speed(runs, arguments.format, width()))
    return 0


def show_reports(arguments: argparse.Namespace) -> int:  # noqa: ARG001  the signature of all commands
    """List the reports, and print what the results say."""
    from benchmarks.cli.index import overview  # noqa: PLC0415  the index names this module, and loads it when called

    print(overview(["report"]))
    print()
    return show_findings(argparse.Namespace(runs=None))


def show_findings(arguments: argparse.Namespace) -> int:
    """Print what the results say, in sentences."""
    from benchmarks.report.findings.collect import findings  # noqa: PLC0415  scipy is slow to load
    from benchmarks.report.findings.statement import markdown  # noqa: PLC0415  likewise
    from benchmarks.report.part import parts_in  # noqa: PLC0415  likewise

    folder = asked.results_folder(arguments)
    print(markdown(findings(parts_in(folder, resampling=False), folder)))
    return 0


def write_report_page(arguments: argparse.Namespace) -> int:
    """Write the page of all results, one file that needs nothing else."""
    from benchmarks.report.page.content import page_content  # noqa: PLC0415  scipy and matplotlib are slow to load
    from benchmarks.report.page.write import write_page  # noqa: PLC0415  likewise

    write_page(page_content(asked.results_folder(arguments)), arguments.to)
    print(arguments.to)
    return 0


def draw_figures(arguments: argparse.Namespace) -> int:
    """Draw all figures, one folder per preset, protocol, backbone and kind of data."""
    from benchmarks.report.page.content import drawings_of  # noqa: PLC0415  scipy and matplotlib are slow to load
    from benchmarks.report.page.figures import write_figures  # noqa: PLC0415  likewise
    from benchmarks.report.part import parts_in  # noqa: PLC0415  likewise

    parts = {}
    for part in parts_in(asked.results_folder(arguments)):
        first = part.results[0]
        name = f"{first.preset}-{first.protocol}-{first.model_title}-{first.data_source.split()[0]}"
        folder = "".join(sign if sign.isalnum() else "-" for sign in name.lower())
        parts[arguments.to / folder] = drawings_of(part)
    for path in write_figures(parts, arguments.endings):
        print(path)
    return 0


def _of_table(arguments: argparse.Namespace) -> list[Result]:
    """Results of the table's tasks and methods, and of those that belong to no other table."""
    layout = asked.layout(arguments)
    methods = () if getattr(arguments, "methods", None) else _methods_elsewhere(layout)
    tasks = () if getattr(arguments, "tasks", None) else _tasks_elsewhere(layout)
    found = asked.wanted(Store(folder=arguments.runs).results(), arguments)
    return _some((result for result in found if result.method not in methods and result.task not in tasks), arguments)


def _some(results: Iterable[Result], arguments: argparse.Namespace) -> list[Result]:
    found = list(results)
    if not found:
        raise InputError(f"{arguments.runs} has no such result; `run` makes them, --runs names another folder")
    return found


def _methods_elsewhere(layout: PublishedTable) -> set[str]:
    """Methods that belong to other tables of scores, or to figures, than this one."""
    others = {method for known in shown_tables() for method in known.shown}
    return others.union(asked.RANK_METHODS).difference(layout.shown)


def _tasks_elsewhere(layout: PublishedTable) -> set[str]:
    """Tasks that belong to other tables of scores than this one."""
    others = {task for known in shown_tables() for task in known.tasks}
    return others.difference(layout.tasks)
