"""Tables of rank allocators on planted problems: one per setting, allocators by measures."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from benchmarks.analysis.allocation_scores import LEVEL, Mean, Scores, scores
from benchmarks.report.tables.grid import Grid, write
from benchmarks.store.allocation_record import AllocationRun

NAMES = {
    "autolora": "AutoLoRA (published)",
    "autolora_sigmoid": "AutoLoRA (sigmoid)",
    "autolora_variables": "AutoLoRA (by variables)",
}
"""Allocator -> its name where its title is that of several."""


def allocation_grids(runs: Sequence[AllocationRun]) -> list[Grid]:
    """One table per setting, over its seeds, at the budget of the planted updates."""
    ordered = sorted(runs, key=lambda run: (run.student, run.setting, run.seed))
    return [_grid(list(group)) for _, group in groupby(ordered, key=lambda run: run.setting)]


def render_allocation(runs: Sequence[AllocationRun], form: str, width: int) -> str:
    """Render the tables in one of `grid.FORMATS`."""
    if form == "json":
        ordered = sorted(runs, key=lambda run: (run.setting, run.seed))
        found = {setting: scores(list(group)) for setting, group in groupby(ordered, key=lambda run: run.setting)}
        return json.dumps({setting: [asdict(each) for each in rows] for setting, rows in found.items()}, indent=1)
    return write(allocation_grids(runs), form, width)


def name_of(allocator: str, title: str) -> str:
    """Name of an allocator in reports."""
    return NAMES.get(allocator, title)


def _grid(runs: Sequence[AllocationRun]) -> Grid:
    rows = [
        {
            "Allocator": name_of(each.allocator, each.title),
            "Rank correlation": _mean(each.correlation),
            "On needed layers": _mean(each.needed),
            "Way to oracle": _mean(each.recovered),
            "Loss": _mean(each.loss, digits=3),
            "W": "-" if each.agreement is None else f"{each.agreement.w:.2f}",
            "Cost": _mean(each.cost, interval=False),
            "Better than uniform": _verdict(each),
        }
        for each in scores(runs)
    ]
    first = runs[0]
    title = f"{first.student}, pattern {first.pattern}, spectrum {first.spectrum}"
    title += f", noise {first.noise:g}" if first.noise else ""
    title += ", shuffled targets" if first.shuffled else ""
    return Grid.of(f"Planted ranks: {title}", rows, [_note(runs), _conditions(runs)])


def _mean(mean: Mean | None, *, digits: int = 2, interval: bool = True) -> str:
    if mean is None:
        return "-"
    around = "" if mean.half_width is None or not interval else f" ± {mean.half_width:.{digits}f}"
    return f"{mean.value:.{digits}f}{around}"


def _verdict(each: Scores) -> str:
    if each.p is None:
        return "-"
    return f"{'yes' if each.better else 'no'} (p {each.p:.3f})"


def _note(runs: Sequence[AllocationRun]) -> str:
    budget = next(trial.budget for trial in runs[0].trials if trial.share == 1)
    return (
        f"Planted ranks {', '.join(map(str, runs[0].truth))}: {budget:,} parameters, sum of ranks {sum(runs[0].truth)}. "
        f"Loss: held out, 1 for the untrained student. Cost: multiples of one LoRA training. Means over {len(runs)} "
        f"{'seed' if len(runs) == 1 else 'seeds'} with 95% intervals (t). p: one-sided, paired by seed; yes at {LEVEL:.0%} "
        "after Holm's correction over the allocators."
    )


def _conditions(runs: Sequence[AllocationRun]) -> str:
    where = runs[-1].environment
    commits = ", ".join(dict.fromkeys((run.environment.commit or "unknown")[:12] for run in runs))
    seeds = ", ".join(str(run.seed) for run in runs)
    return (
        f"Seeds {seeds}; LoRA: {runs[0].steps} steps at {runs[0].lr:g}, constant scaling. {where.machine}, threads: "
        f"{where.threads}, {where.precision}, torch {where.packages['torch']}, commits {commits}."
    )
