"""How fast training and search are against other implementations, as a table of ratios."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import groupby

from benchmarks.report.tables.grid import Grid, write
from benchmarks.store.speed_record import SpeedRun


def render_speed(runs: Sequence[SpeedRun], form: str, width: int) -> str:
    """In one of `grid.FORMATS`."""
    if form == "json":
        timings = [(run.environment.device_name, timing) for run in newest(runs) for timing in run.timings]
        return json.dumps([{"device": on, **asdict(each), "ratio": each.ratio} for on, each in timings], indent=1)
    return write(speed_grids(runs), form, width)


def newest(runs: Sequence[SpeedRun]) -> list[SpeedRun]:
    """Of each work on each device the newest run that did it, with the timings of that work alone."""
    found: dict[tuple[str, str], SpeedRun] = {}
    for run in sorted(runs, key=lambda run: run.finished):
        for work, timings in groupby(run.timings, key=lambda timing: timing.work):
            found[run.environment.device_name, work] = replace(run, timings=tuple(timings))
    return list(found.values())


def speed_grids(runs: Sequence[SpeedRun]) -> list[Grid]:
    """One table per device, as they were first measured on."""
    by_device: dict[str, list[SpeedRun]] = {}
    for run in newest(runs):
        by_device.setdefault(run.environment.device_name, []).append(run)
    return [_grid(device, found) for device, found in by_device.items()]


def _grid(device: str, found: Sequence[SpeedRun]) -> Grid:
    """One line per contender."""
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
    return Grid.of(f"Speed on {device}", rows, list(dict.fromkeys(map(_where, found))))


def _where(run: SpeedRun) -> str:
    where = run.environment
    rounds = len(run.timings[0].seconds)
    return (
        f"{run.model_title}, threads: {where.threads}, {where.precision}, torch {where.packages['torch']}, commit "
        f"{(where.commit or 'unknown')[:12]}; medians over {rounds} rounds in turns, in one process."
    )
