"""What the options ask for: tasks, methods, settings, and which results."""

# ruff: noqa: T201  a command line prints

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path

from benchmarks.cli.options import REFERENCES
from benchmarks.core import registry
from benchmarks.core.nested import Table, merge
from benchmarks.core.settings import lay_over, parse_assignment
from benchmarks.core.spec import InputError
from benchmarks.store.published import RESULTS, PublishedTable, published_figure, published_table
from benchmarks.store.result import Result
from benchmarks.store.store import Store

REFERENCE = RESULTS / "reference"
LEARNED_RANKS = 3
"""The figure of the learned ranks, which is no table of scores."""
RANK_TASKS = ("qqp", "mnli")
"""Tasks of Figure 3."""
RANK_METHODS = ("lora_learned_ranks", "lora_shuffled_ranks", "lora_random_ranks", "lora_uniform_matched")
"""Methods beside AutoLoRA in the analysis of learned ranks: those that were learned, then the controls."""
COST_TASKS = ("sst2", "mnli", "qqp")
"""Tasks of Table 5."""


def layout(arguments: Namespace) -> PublishedTable:
    """The table or the figure that is asked for. Raises InputError: both, or one that the paper does not have."""
    table, figure = (getattr(arguments, name, None) for name in ("table", "figure"))
    if table is not None and figure is not None:
        raise InputError(f"give --table or --figure, not both; got table {table} and figure {figure}")
    return published_table(table or 1) if figure is None else published_figure(figure)


def tasks_and_methods(arguments: Namespace) -> tuple[list[str], list[str]]:
    """Names of what is asked for, else of the table's rows. Raises InputError: an unknown one."""
    table = layout(arguments)
    return known_tasks(arguments.tasks or table.tasks), known_methods(arguments.methods or table.methods)


def known_tasks(names: Sequence[str]) -> list[str]:
    """The names, each once. Raises InputError: one is no task."""
    return known("task", names, registry.task_names())


def known_methods(names: Sequence[str]) -> list[str]:
    """The names, each once. Raises InputError: one is no method."""
    return known("method", names, registry.method_names())


def known(kind: str, names: Sequence[str], all_names: Sequence[str]) -> list[str]:
    """The names, each once. Raises InputError: an unknown one; the nearest ones are named."""
    for name in names:
        if name not in all_names:
            raise registry.unknown_name(kind, name, all_names)
    return list(dict.fromkeys(names))


def command_line(arguments: Namespace) -> Table:
    """The options that change settings, as a table in a preset's layout; `--set` is the strongest."""
    sections = {
        "run": ("seeds", "model", "data", "partial", "precision", "device"),
        "training": ("max_steps",),
    }
    options: Table = {
        section: {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
        for section, names in sections.items()
    }
    if getattr(arguments, "protocol", None):
        options = merge(options, {"protocol": {"base": arguments.protocol}})
    return reduce(lay_over, map(parse_assignment, arguments.set), options)


def wanted(results: Iterable[Result], arguments: Namespace) -> Iterator[Result]:
    """The results of the tasks, methods and preset that are asked for."""
    tasks, methods, preset = (getattr(arguments, name, None) for name in ("tasks", "methods", "preset"))
    return (
        result
        for result in results
        if (not tasks or result.task in tasks)
        and (not methods or result.method in methods)
        and (not preset or result.preset == preset)
    )


def results_folder(arguments: Namespace) -> Path:
    """The folder that --runs, a folder's argument or --reference names; else `runs`, or the reference as long as nothing was run.

    Raises:
        InputError: both are given, or the reference is unknown.
    """
    reference = getattr(arguments, "reference", None)
    if arguments.runs and reference:
        raise InputError("give --runs or --reference, not both")
    if arguments.runs:
        return Path(arguments.runs)
    if reference:
        return REFERENCE if reference == REFERENCES else reference_folder(reference)
    own = Path("runs")
    if any(Store(folder=folder).paths() for folder in (own, *own.glob("*"))):
        return own
    print("nothing in runs yet: these are the project's own results (--reference)", file=sys.stderr)
    return REFERENCE


def reference_folder(name: str) -> Path:
    """The folder of a reference, by its preset or its path. Raises InputError: there is none."""
    presets = {path.name: path for path in REFERENCE.iterdir() if Store(folder=path).paths()}
    if name in presets:
        return presets[name]
    if not Path(name).is_dir():
        raise registry.unknown_name("reference", name, presets)
    return Path(name)
