"""Tables of the verdicts on the published numbers, and the number of each verdict."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean

from benchmarks.analysis.verdicts import INSIDE, OUTSIDE, VERDICTS, CellVerdict, Margin, Verdict, verdicts
from benchmarks.report.tables.grid import Grid, write
from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result
from benchmarks.tasks.metrics.scales import POINTS

BY_RUNS = {"reproduced": "R", "deviates": "D", "cannot be decided": "?"}
"""Verdict under one assumed number of published runs -> its letter in the table."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Verdicts on all published numbers from the results of one preset, protocol and backbone."""

    title: str
    cells: Sequence[CellVerdict]


def judge(results: Sequence[Result], tables: Iterable[PublishedTable], margin: Margin) -> Judged:
    """Judge every number of the tables by results of one preset, protocol, backbone and kind of data."""
    newest = max(results, key=lambda result: result.finished)
    return Judged(
        title=f"{newest.model_title}, preset {newest.preset}, protocol {newest.protocol}, "
        f"data {newest.data_source.split()[0]}",
        cells=[cell for table in tables for cell in verdicts(results, table, margin)],
    )


def best_verdicts(judged: Iterable[Judged]) -> dict[Verdict, int]:
    """Verdict -> number of published numbers, each counted once with the first of its verdicts in `VERDICTS`."""
    of_numbers = zip(*(each.cells for each in judged), strict=True)
    best = Counter(min((cell.verdict for cell in cells), key=VERDICTS.index) for cells in of_numbers)
    return {verdict: best[verdict] for verdict in VERDICTS}


def render_verdicts(judged: Iterable[Judged], margin: Margin, form: str, width: int) -> str:
    """Render verdicts in one of `grid.FORMATS`; numbers that were not run are counted but not listed."""
    if form == "json":
        return json.dumps([asdict(each) for each in judged], indent=1)
    return write([verdict_grid(each, margin) for each in judged], form, width)


def verdict_grid(judged: Judged, margin: Margin) -> Grid:
    """Table with one row per published number that was run."""
    shown = [cell for cell in judged.cells if cell.verdict != "not run"]
    rows = [
        {
            "Table": str(cell.table),
            "Method": cell.method_title,
            "Task": cell.column_title,
            "Published": cell.scale.text(cell.published),
            "Measured": f"{cell.scale.text(mean(cell.scores))} ({cell.cells.after(f'n={len(cell.scores)}')})",
            f"Difference, {100 * OUTSIDE:g} %": _difference(cell),
            f"Runs {', '.join(map(str, margin.published_seeds))}": " ".join(
                BY_RUNS[cell.by_runs[runs]] for runs in margin.published_seeds if runs in cell.by_runs
            )
            or "-",
            "Resolves": "-" if cell.resolvable is None else cell.scale.text(cell.resolvable),
            "Verdict": cell.verdict,
        }
        for cell in shown
    ]
    counts = Counter(cell.verdict for cell in judged.cells)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    reasons = sorted({reason for cell in shown for reason in cell.reasons})
    notes = [
        f"Of {len(judged.cells)} published numbers: {summary}.",
        *([f"Not comparable: {', and '.join(reasons)}."] if reasons else []),
        (
            f"The evaluation set is fixed and the seeds are random. Reproduced: the {INSIDE:.0%} interval of the difference lies "
            f"within {_allowed(shown, margin)}; deviates: the {OUTSIDE:.1%} interval lies outside of them. The paper does not say "
            f"how many runs a number is the mean of: the verdict (R, D, or ? for neither) is taken for {_published_runs(margin)}, and "
            "stands where all agree. 'Resolves' is the smallest difference that would have been called a deviation."
        ),
    ]
    return Grid.of(f"Verdicts: {judged.title}", rows, notes)


def _difference(cell: CellVerdict) -> str:
    if not cell.differences:
        return "-"
    difference = cell.differences[min(cell.differences)]  # the widest interval: the fewest published runs
    low, high = difference.interval(OUTSIDE)
    return f"{cell.scale.signed(difference.value)} [{cell.scale.signed(low)}, {cell.scale.signed(high)}]"


def _allowed(cells: Sequence[CellVerdict], margin: Margin) -> str:
    """The margin in every unit of the cells; in points for no cells."""
    scales = dict.fromkeys([POINTS, *(cell.scale for cell in cells)])
    units = {scale.unit: f"{scale.of_points(margin.points):g}" for scale in scales}
    others = "".join(f", {unit} {allowed}" for unit, allowed in units.items() if unit != POINTS.unit)
    return f"{units[POINTS.unit]} {POINTS.unit}{others}"


def _published_runs(margin: Margin) -> str:
    *others, last = map(str, margin.published_seeds)
    return f"{', '.join(others)} or {last}" if others else last
