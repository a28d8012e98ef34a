"""All comparisons that are asked for, and their table."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict

from tabulate import tabulate

from benchmarks.speed.comparison import compare
from benchmarks.speed.comparisons import COMPARISONS, Setting
from benchmarks.speed_record import SpeedRun, Timing


def measure_speed(names: Sequence[str], setting: Setting, rounds: int, tell: Callable[[str], None]) -> list[Timing]:
    """Time the named comparisons' contenders in turns."""
    device = setting.runtime.device.partition(":")[0]
    return [
        timing
        for name in names
        for comparison in COMPARISONS[name](setting)
        for timing in compare(comparison, rounds, device, tell)
    ]


def render_speed(run: SpeedRun, form: str) -> str:
    """As text, Markdown or JSON."""
    timings, where = run.timings, run.environment
    if form == "json":
        return json.dumps([asdict(timing) | {"ratio": timing.ratio} for timing in timings], indent=1)
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
        for timing in timings
    ]
    rounds = max((len(timing.ratios) for timing in timings), default=0)
    line = (
        f"{run.model_title}, {where.device_name}, threads: {where.threads}, {where.precision}, torch {where.packages['torch']}; "
        f"medians over {rounds} rounds in turns, in one process."
    )
    table = tabulate(rows, headers="keys", tablefmt="pipe" if form == "markdown" else "simple", disable_numparse=True)
    return f"{table}\n\n{line}"
