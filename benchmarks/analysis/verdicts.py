"""What results say of each published number: reproduced, deviating, or neither, and why.

The estimand is the mean over seeds on the paper's own evaluation set: the set is fixed, the seeds are random. How many
runs a published number stands for is not known, so the difference is taken for several such numbers, and a verdict is
what holds for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

from benchmarks.analysis.difference import Difference, against_published
from benchmarks.analysis.stats import Summary, by_column, resolution_of_mean, summarise
from benchmarks.store.comparability import incomparable
from benchmarks.store.published import PublishedRow, PublishedTable
from benchmarks.store.result import Result

Verdict = Literal["reproduced", "deviates", "cannot be decided", "not comparable", "not run"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "deviates", "cannot be decided", "not comparable", "not run")
AVERAGE = "average"
"""Column of the mean over a table's tasks."""
INSIDE, OUTSIDE = 0.90, 0.95
"""Levels of the intervals that must lie inside the margin to reproduce, and outside of it to deviate."""


@dataclass(frozen=True, kw_only=True)
class Margin:
    """When a difference counts."""

    points: float = 0.5
    """Differences up to this size do not matter."""
    published_seeds: tuple[int, ...] = (1, 3, 5)
    """Numbers of runs that a published score may be the mean of."""


@dataclass(frozen=True, kw_only=True)
class CellVerdict:
    """One published number."""

    table: int
    method: str
    method_title: str
    column: str
    column_title: str
    published: float
    verdict: Verdict
    scores: Sequence[float] = ()
    """Measured, one per seed."""
    differences: Mapping[int, Difference]
    """Runs that the published number may stand for -> measured less published; empty where it cannot be said."""
    by_runs: Mapping[int, Verdict]
    """The same -> verdict, were it known to be so many."""
    resolvable: float | None = None
    """Differences from this size on would have been called a deviation, points; None where the noise is unknown."""
    reasons: tuple[str, ...] = ()
    """Why it is not comparable."""


def verdicts(results: Iterable[Result], published: PublishedTable, margin: Margin) -> list[CellVerdict]:
    """One per published number of the table, in its order.

    Args:
        results: of one preset, protocol and backbone.
        published: a table of scores.
        margin: what counts.
    """
    summaries = summarise(by_column(results, published))
    return [
        cell
        for row in published.rows
        for cell in (
            *(_cell(row, column, summaries.get((column, row.method)), published, margin) for column in row.scores),
            *([_average(row, summaries, published, margin)] if row.average is not None else []),
        )
    ]


def decide(difference: Difference, margin: float, rounding: float = 0.0) -> Verdict:
    """A verdict from a difference.

    Args:
        difference: measured less published.
        margin: what does not matter, points.
        rounding: half a unit of the last digit printed: the published number may be off by so much.
    """
    low, high = difference.interval(INSIDE)
    if -margin <= low - rounding and high + rounding <= margin:
        return "reproduced"
    low, high = difference.interval(OUTSIDE)
    return "deviates" if low - rounding > margin or high + rounding < -margin else "cannot be decided"


def _cell(
    row: PublishedRow, column: str, summary: Summary | None, published: PublishedTable, margin: Margin
) -> CellVerdict:
    return _judge(
        row,
        column,
        row.scores[column],
        scores=summary.scores if summary else [],
        results=summary.results if summary else [],
        resolution=summary.resolution if summary else 0.0,
        published=published,
        margin=margin,
    )


def _average(
    row: PublishedRow, summaries: Mapping[tuple[str, str], Summary], published: PublishedTable, margin: Margin
) -> CellVerdict:
    """The mean over all tasks of the table, seed by seed; not run while one is missing."""
    mine = [summary for task in published.columns if (summary := summaries.get((task, row.method)))]
    seeds = set.intersection(*(set(summary.seeds) for summary in mine)) if len(mine) == len(published.columns) else ()
    assert row.average is not None
    return _judge(
        row,
        AVERAGE,
        row.average,
        scores=[mean(summary.of_seed(seed) for summary in mine) for seed in sorted(seeds)],
        results=[result for summary in mine for result in summary.results] if seeds else [],
        resolution=resolution_of_mean(mine) if mine else 0.0,
        published=published,
        margin=margin,
    )


def _judge(
    row: PublishedRow,
    column: str,
    value: float,
    *,
    scores: Sequence[float],
    results: Sequence[Result],
    resolution: float,
    published: PublishedTable,
    margin: Margin,
) -> CellVerdict:
    rounding = 0.5 * 10.0 ** -published.decimals.get(column, 1)
    reasons = incomparable(results, published)
    found = {
        runs: against_published(scores, value, runs, least_sd=resolution)
        for runs in margin.published_seeds
        if not reasons
    }
    differences = {runs: difference for runs, difference in found.items() if difference}
    by_runs = {runs: decide(difference, margin.points, rounding) for runs, difference in differences.items()}
    verdict: Verdict = "cannot be decided"
    if not scores:
        verdict = "not run"
    elif reasons:
        verdict = "not comparable"
    elif len(set(by_runs.values())) == 1:
        (verdict,) = set(by_runs.values())
    widest = max((difference.half_width(OUTSIDE) for difference in differences.values()), default=None)
    return CellVerdict(
        table=published.table,
        method=row.method,
        method_title=row.title,
        column=column,
        column_title=published.columns.get(column, "Avg."),
        published=value,
        verdict=verdict,
        scores=scores,
        differences=differences,
        by_runs=by_runs,
        resolvable=None if widest is None else margin.points + rounding + widest,
        reasons=tuple(reasons),
    )
