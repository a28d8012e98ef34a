"""The command that tests rank allocators on planted problems."""

# ruff: noqa: T201  a command line prints

import argparse
import sys

from benchmarks.cli.commands.printing import width
from benchmarks.core.spec import InputError
from benchmarks.report.allocation_report import render_allocation
from benchmarks.run.machine.environment import configure_process
from benchmarks.store.allocation_record import FOLDER, allocation_runs
from benchmarks.store.store import write_atomically

FILES = {"latex": "table.tex", "markdown": "table.md"}
"""Format -> file of the table in that format."""


def show_allocation(arguments: argparse.Namespace) -> int:
    """Run what is missing, print the tables, and write them and two figures beside the results."""
    if arguments.seeds:
        from benchmarks.measure.allocation.run import measure_allocation  # noqa: PLC0415  loads torch

        configure_process(1)  # the models are so small that more threads only wait for each other
        runs = measure_allocation(arguments.student, arguments.seeds, arguments.folder, _tell)
    else:
        runs = allocation_runs(arguments.folder)
    if not runs:
        raise InputError(f"{arguments.folder / FOLDER} holds no allocation runs; give a number of seeds to run some")
    from benchmarks.report.figures.allocation import budget_curves, truth_against_found  # noqa: PLC0415  matplotlib

    print(render_allocation(runs, "text", width()))
    folder = arguments.folder / FOLDER
    for form, name in FILES.items():
        write_atomically(folder / name, (render_allocation(runs, form, width()) + "\n").encode())
    truth_against_found(runs, folder / "ranks.png")
    curves = [run for run in runs if len({trial.share for trial in run.trials}) > 1]
    if curves:
        budget_curves(curves, folder / "curves.png")
    print(f"\ntables and figures: {folder}", file=sys.stderr)
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
