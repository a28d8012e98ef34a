"""Tables of the time of training and search, as ratios to other implementations."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import groupby

from benchmarks.report.tables.grid import Grid, write
from benchmarks.store.speed_record import SpeedRun


def render_speed(runs: Sequence[SpeedRun], form: str, width: int) -> str:
    """Render the newest timings in one of `grid.FORMATS`."""
    if form == "json":
        timings = [(run.environment.machine, timing) for run in newest(runs) for timing in run.timings]
        return json.dumps([{"device": on, **asdict(each), "ratio": each.ratio} for on, each in timings], indent=1)
    return write(speed_grids(runs), form, width)


def newest(runs: Sequence[SpeedRun]) -> list[SpeedRun]:
    """The newest run of each work on each device, with the timings of that work only."""
    by_device_and_work: dict[tuple[str, str], SpeedRun] = {}
    for run in sorted(runs, key=lambda run: run.finished):
        for work, timings in groupby(run.timings, key=lambda timing: timing.work):
            by_device_and_work[run.environment.machine, work] = replace(run, timings=tuple(timings))
    return list(by_device_and_work.values())


def speed_grids(runs: Sequence[SpeedRun]) -> list[Grid]:
    """One table per device, in the order in which the devices were first measured."""
    by_device: dict[str, list[SpeedRun]] = {}
    for run in newest(runs):
        by_device.setdefault(run.environment.machine, []).append(run)
    return [_grid(device, device_runs) for device, device_runs in by_device.items()]


def _grid(device: str, runs: Sequence[SpeedRun]) -> Grid:
    """One row per timing."""
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
        for run in runs
        for timing in run.timings
    ]
    return Grid.of(f"Speed on {device}", rows, list(dict.fromkeys(map(_conditions, runs))))


def _conditions(run: SpeedRun) -> str:
    where = run.environment
    rounds = len(run.timings[0].seconds)
    return (
        f"{run.model_title}, threads: {where.threads}, {where.precision}, torch {where.packages['torch']}, commit "
        f"{(where.commit or 'unknown')[:12]}; medians over {rounds} rounds in turns, in one process."
    )
