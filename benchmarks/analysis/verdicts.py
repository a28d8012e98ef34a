"""A verdict on each published number from results: reproduced, deviates, or cannot be decided, with the reasons.

The estimand is the mean over seeds on the paper's own evaluation set: the set is fixed, the seeds are random. The paper
does not say over how many runs a published number is averaged, so the difference is computed under several assumed
numbers of runs, and the verdict is the one that holds under all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import Difference, against_published
from benchmarks.analysis.stats import Summary, by_column, resolution_of_mean, summarise
from benchmarks.store.comparability import incomparable
from benchmarks.store.published import PublishedRow, PublishedTable
from benchmarks.store.result import Result
from benchmarks.tasks.metrics.scales import Scale

Verdict = Literal["reproduced", "deviates", "cannot be decided", "not comparable", "not run"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "deviates", "cannot be decided", "not comparable", "not run")
AVERAGE = "average"
"""Column of the mean over a table's tasks."""
INSIDE, OUTSIDE = 0.90, 0.975
"""Confidence levels: the interval at INSIDE must lie within the margin for "reproduced", the one at OUTSIDE wholly
beyond it for "deviates". So "reproduced" is wrong in at most 5% of cases, since one end of its interval decides, and
"deviates" in at most 2.5%, since with noise far above the margin either end can be the wrong one."""


@dataclass(frozen=True, kw_only=True)
class Margin:
    """The differences that matter, and the assumptions about the published numbers."""

    points: float = 0.5
    """Differences up to this size, in points of the metric's scale (`Scale.of_points`), do not matter."""
    published_seeds: tuple[int, ...] = (1, 3, 5)
    """Assumed numbers of runs that a published score is the mean of."""


@dataclass(frozen=True, kw_only=True)
class CellVerdict:
    """The verdict on one published number."""

    table: int | str
    method: str
    method_title: str
    column: str
    column_title: str
    published: float
    scale: Scale
    """The scale of the scores, the published number and all differences."""
    verdict: Verdict
    scores: Sequence[float] = ()
    """Measured scores, one per seed."""
    cells: Cells
    """The cells that the scores come from."""
    differences: Mapping[int, Difference]
    """Assumed number of published runs -> measured less published; empty where the difference cannot be estimated."""
    by_runs: Mapping[int, Verdict]
    """Assumed number of published runs -> the verdict under that assumption."""
    resolvable: float | None = None
    """Smallest difference that would be called a deviation; None where the noise is unknown."""
    reasons: tuple[str, ...] = ()
    """Why the measured scores are not comparable with the published number."""


def verdicts(results: Iterable[Result], published: PublishedTable, margin: Margin) -> list[CellVerdict]:
    """One verdict per published number of the table, in the table's order.

    Args:
        results: results of one preset, protocol and backbone.
        published: a table of scores.
        margin: the differences that matter.
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
    """Decide from confidence intervals whether a difference reproduces the published number or deviates from it.

    Args:
        difference: measured less published.
        margin: largest difference that does not matter, in the unit of the difference.
        rounding: largest rounding error of the published number, half a unit of its last digit.
    """
    low, high = difference.interval(INSIDE)
    if -margin <= low - rounding and high + rounding <= margin:
        return "reproduced"
    low, high = difference.interval(OUTSIDE)
    return "deviates" if low - rounding > margin or high + rounding < -margin else "cannot be decided"


@dataclass(frozen=True, kw_only=True)
class _Measurement:
    """What was measured for one published number."""

    scores: Sequence[float] = ()
    """One per seed."""
    results: Sequence[Result] = ()
    """The results that the scores come from."""
    resolution: float = 0.0
    """Difference by which one example changes the score."""


def _cell(
    row: PublishedRow, column: str, summary: Summary | None, published: PublishedTable, margin: Margin
) -> CellVerdict:
    """The verdict on one method's score in one column."""
    measurement = (
        _Measurement(scores=summary.scores, results=summary.results, resolution=summary.resolution)
        if summary
        else _Measurement()
    )
    return _judge(row, column, row.scores[column], measurement, published=published, margin=margin)


def _average(
    row: PublishedRow, summaries: Mapping[tuple[str, str], Summary], published: PublishedTable, margin: Margin
) -> CellVerdict:
    """The verdict on a row's average over all tasks, computed seed by seed; "not run" while a task is missing."""
    by_task = [summary for task in published.columns if (summary := summaries.get((task, row.method)))]
    complete = len(by_task) == len(published.columns)
    seeds = set.intersection(*(set(summary.seeds) for summary in by_task)) if complete else ()
    assert row.average is not None
    measurement = _Measurement(
        scores=[mean(summary.of_seed(seed) for summary in by_task) for seed in sorted(seeds)],
        results=[result for summary in by_task for result in summary.at(sorted(seeds))],
        resolution=resolution_of_mean(by_task) if by_task else 0.0,
    )
    return _judge(row, AVERAGE, row.average, measurement, published=published, margin=margin)


def _judge(
    row: PublishedRow,
    column: str,
    value: float,
    measurement: _Measurement,
    *,
    published: PublishedTable,
    margin: Margin,
) -> CellVerdict:
    scale = published.scale(column)
    allowed, rounding = scale.of_points(margin.points), 0.5 * 10.0**-scale.decimals
    reasons = incomparable(measurement.results, published)
    differences = {} if reasons else _differences(measurement, value, margin)
    by_runs = {runs: decide(difference, allowed, rounding) for runs, difference in differences.items()}
    widest = max((difference.half_width(OUTSIDE) for difference in differences.values()), default=None)
    return CellVerdict(
        table=published.table,
        method=row.method,
        method_title=row.title,
        column=column,
        column_title=published.columns.get(column, "Avg."),
        published=value,
        scale=scale,
        verdict=_combined(measurement.scores, reasons, by_runs),
        scores=measurement.scores,
        cells=Cells.of(measurement.results),
        differences=differences,
        by_runs=by_runs,
        resolvable=None if widest is None else allowed + rounding + widest,
        reasons=tuple(reasons),
    )


def _differences(measurement: _Measurement, value: float, margin: Margin) -> dict[int, Difference]:
    """Assumed number of published runs -> measured less published; empty for fewer than two measured scores."""
    differences = {
        runs: against_published(measurement.scores, value, runs, least_sd=measurement.resolution)
        for runs in margin.published_seeds
    }
    return {runs: difference for runs, difference in differences.items() if difference}


def _combined(scores: Sequence[float], reasons: Sequence[str], by_runs: Mapping[int, Verdict]) -> Verdict:
    """The verdict that holds for every assumed number of published runs."""
    if not scores:
        return "not run"
    if reasons:
        return "not comparable"
    if len(set(by_runs.values())) == 1:
        (verdict,) = set(by_runs.values())
        return verdict
    return "cannot be decided"
