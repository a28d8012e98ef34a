"""Results on the screen."""

# ruff: noqa: T201  a command line prints

import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.core.spec import InputError
from benchmarks.report.cost_report import cost_report, render_costs
from benchmarks.report.tables.score_grid import render
from benchmarks.report.tables.score_table import score_tables
from benchmarks.store.cost_record import CostRun
from benchmarks.store.published import PublishedTable, published_table
from benchmarks.store.result import Result

TERMINAL = (120, 24)
"""Columns and lines where there is no terminal."""


def print_scores(results: Sequence[Result], layout: PublishedTable, form: str) -> None:
    """Print results in the layout of one of the paper's tables."""
    print(render(score_tables(results, layout), form, width()))


def print_costs(runs: Sequence[CostRun], form: str) -> None:
    """Table 5, and what it is made of."""
    published = published_table(5)
    print(render_costs([cost_report(run, published) for run in runs], form, width()))


def print_ranks(results: Sequence[Result], figures: Path | None, form: str) -> None:
    """What results say of learned ranks; and figures of it, where a folder is given."""
    from benchmarks.report.rank_report import rank_report  # noqa: PLC0415  scipy is slow to load
    from benchmarks.report.rank_tables import render_ranks  # noqa: PLC0415  likewise

    searches = [result for result in results if result.status == "done" and result.method == "autolora"]
    if not searches:
        raise InputError(
            "no finished search of autolora is at hand; `run --figure 3` runs them, --runs names another folder"
        )
    found = rank_report(results)
    print(render_ranks(found, form, width()))
    if figures:
        from benchmarks.report.figures.ranks import rank_heatmap, search_course  # noqa: PLC0415  loads matplotlib

        paths = {figures / "ranks.png": partial(rank_heatmap, found)}
        for task in found.tasks:
            of_task = [result for result in searches if result.task == task.task]
            paths[figures / f"search_{task.task}.png"] = partial(search_course, of_task)
        for path, draw in paths.items():
            draw(path)
            print(path)


def width() -> int:
    """Columns to print into."""
    return shutil.get_terminal_size(TERMINAL).columns if sys.stdout.isatty() else TERMINAL[0]
