"""How fast training and search are against other implementations, as a table of ratios."""

import json
import statistics
from dataclasses import asdict

from benchmarks.report.grid import Grid, write
from benchmarks.speed_record import SpeedRun


def render_speed(run: SpeedRun, form: str, width: int) -> str:
    """In one of `grid.FORMATS`."""
    if form == "json":
        return json.dumps([asdict(timing) | {"ratio": timing.ratio} for timing in run.timings], indent=1)
    return write([speed_grid(run)], form, width)


def speed_grid(run: SpeedRun) -> Grid:
    """One line per contender."""
    where = run.environment
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
        for timing in run.timings
    ]
    rounds = max((len(timing.ratios) for timing in run.timings), default=0)
    note = (
        f"{run.model_title}, {where.device_name}, threads: {where.threads}, {where.precision}, torch "
        f"{where.packages['torch']}, commit {(where.commit or 'unknown')[:12]}; {run.steps} steps per turn; medians over "
        f"{rounds} rounds in turns, in one process."
    )
    return Grid.of("", rows, [note])
