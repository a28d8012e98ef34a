"""Commands for the files of results; they never load torch or scipy."""

# ruff: noqa: T201  a command line prints

import argparse
import sys
from pathlib import Path

from benchmarks.cli import scope as asked
from benchmarks.core.spec import InputError
from benchmarks.core.untrusted import printable
from benchmarks.report.cell_report import cell_report, render_cell
from benchmarks.store import promote
from benchmarks.store.lookup import find_result
from benchmarks.store.shards import merge
from benchmarks.store.store import Store


def show_cell(arguments: argparse.Namespace) -> int:
    """Print everything that is known of one cell."""
    folder, result = find_result(arguments.cell, asked.results_folder(arguments))
    print(render_cell(cell_report(result, folder), arguments.format))
    return 0


def merge_shards(arguments: argparse.Namespace) -> int:
    """Join the stores of shards; the exit status is 1 where a cell of the plan is missing or failed."""
    merged = merge(arguments.shards, Store(folder=arguments.to))
    print(f"{merged.copied} results copied to {arguments.to}, {merged.known} were there")
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


def promote_results(arguments: argparse.Namespace) -> int:
    """Copy finished results from a clean tree to the reference; the exit status is 1 where one was left out."""
    store, to = Store(folder=arguments.runs), Path(arguments.to or asked.REFERENCE)
    if arguments.kind != "scores" and arguments.methods:
        raise InputError(f"--kind {arguments.kind} takes no --methods: its files are copied whole")
    if arguments.kind == "costs":
        written, left_out = promote.promote_costs(store, to, arguments.preset)
    elif arguments.kind == "speed":
        if arguments.preset:
            raise InputError("--kind speed takes no --preset: what it compares has none")
        written, left_out = promote.promote_speed(store, to)
    else:
        written, left_out = promote.promote(store, to, lambda result: any(asked.wanted([result], arguments)))
    for path in written:
        print(path)
    for reason in left_out:
        print(printable(f"left out: {reason}"), file=sys.stderr)
    return int(bool(left_out) or not written)
