"""The command that runs a finished cell again."""

# ruff: noqa: T201  a command line prints

import argparse

from benchmarks.analysis.regression.comparison import check, exit_status
from benchmarks.cli import scope as asked
from benchmarks.cli.commands.cells import was_interrupted
from benchmarks.cli.commands.printing import width
from benchmarks.report.check_report import render_check
from benchmarks.run import launch
from benchmarks.run.repeat import as_before, repetition
from benchmarks.store.lookup import find_result
from benchmarks.store.store import Store


def repeat_cell(arguments: argparse.Namespace) -> int:
    """Run a finished cell again, with all its settings, and compare; the exit status is that of `check`."""
    folder, result = find_result(arguments.cell, asked.results_folder(arguments))
    changes = {name: value for name in ("data", "device") if (value := getattr(arguments, name))}
    beside = Store(folder=folder.parents[2])
    launched = launch.launch(repetition(result, beside.results(), changes, Store(folder=arguments.to)))
    if was_interrupted(launched):
        return launched.exit_status
    checks = check(as_before(launched.results, result), [result], [(result.task, result.method)])
    print(render_check(checks, "text", width()))
    return exit_status(checks)
