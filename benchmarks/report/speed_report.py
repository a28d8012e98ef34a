"""How fast training and search are against other implementations, as a table of ratios."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import groupby

from benchmarks.report.grid import Grid, write
from benchmarks.speed_record import SpeedRun


def render_speed(runs: Sequence[SpeedRun], form: str, width: int) -> str:
    """In one of `grid.FORMATS`."""
    if form == "json":
        timings = [timing for run in newest(runs).values() for timing in run.timings]
        return json.dumps([asdict(timing) | {"ratio": timing.ratio} for timing in timings], indent=1)
    return write([speed_grid(runs)], form, width)


def newest(runs: Sequence[SpeedRun]) -> dict[str, SpeedRun]:
    """Work -> the newest run that did it, with the timings of that work alone."""
    found: dict[str, SpeedRun] = {}
    for run in sorted(runs, key=lambda run: run.finished):
        for work, timings in groupby(run.timings, key=lambda timing: timing.work):
            found[work] = replace(run, timings=tuple(timings))
    return found


def speed_grid(runs: Sequence[SpeedRun]) -> Grid:
    """One line per contender; of each work the newest run."""
    found = newest(runs).values()
    rows = [
        {
            "Work": timing.work,
            "Contender": timing.name,
            "Seconds": f"{statistics.median(timing.seconds):.3g}",
            "Over": timing.over or "-",
            "Ratio": "-" if timing.ratio is None else f"{timing.ratio:.2f}",
            "Range": f"{min(timing.ratios):.2f} to {max(timing.ratios):.2f}" if timing.ratios else "-",
            "Reach": timing.reach or "-",
            "Met": {True: "yes", False: "no", None: "-"}[timing.met],
        }
        for run in found
        for timing in run.timings
    ]
    return Grid.of("", rows, list(dict.fromkeys(map(_where, found))))


def _where(run: SpeedRun) -> str:
    where = run.environment
    rounds = len(run.timings[0].seconds)
    return (
        f"{run.model_title}, {where.device_name}, threads: {where.threads}, {where.precision}, torch "
        f"{where.packages['torch']}, commit {(where.commit or 'unknown')[:12]}; medians over {rounds} rounds in "
        "turns, in one process."
    )
