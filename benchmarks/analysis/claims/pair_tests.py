"""Tests of claims that compare two methods over the tasks of a table: scores and trainable parameters."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.analysis.claims.claim import (
    ClaimTest,
    Untested,
    against_constant,
    column_titles,
    p_values_within,
    with_interval,
)
from benchmarks.analysis.claims.evidence import Evidence, common_seeds
from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import Difference, paired
from benchmarks.analysis.stats import Summary, resolution_of_mean
from benchmarks.core.nested import build
from benchmarks.store.published import published_table
from benchmarks.tasks.metrics.scales import POINTS


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Settings of tests that compare two methods on average over a table's tasks."""

    table: int
    method: str
    against: str
    tolerance: float = 0.0
    """Relative difference up to which two numbers count as about equal, a fraction."""


def better(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that the method's mean over tasks less the other's, paired by seed, is above 0."""
    pair = build(Pair, settings, "better")
    return _test_of_means(pair, evidence, lambda found: {"p_for": found.p_above(0), "p_against": found.p_below(0)})


def on_par(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that the difference of the two means lies within the margin, by two one-sided tests."""
    pair, margin = build(Pair, settings, "on-par"), evidence.margin.points
    return _test_of_means(pair, evidence, lambda found: p_values_within(found, margin), f", margin {margin:g}")


def as_many_parameters(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that the trainable parameters differ by at most the tolerance: one number per seed, a mean over tasks."""
    pair = build(Pair, settings, "as-many-parameters")
    summaries = _summaries(pair, evidence)
    seeds = common_seeds([summary for both in summaries.values() for summary in both])
    by_seed = [_excess_percentages(list(summaries.values()), seed) for seed in seeds]
    percentages = [statistics.mean(of_seed) for of_seed in by_seed if of_seed]
    if len(percentages) < 2:
        return Untested(reason=f"{pair.method} and {pair.against} have fewer than two seeds in common on their tasks")
    difference = against_constant(percentages, 0.0)
    if difference is None:
        return Untested(
            reason=f"{pair.method} trains {percentages[0]:+.2f} percent more parameters than {pair.against} at each of "
            f"{len(percentages)} seeds, which shows no noise to test against"
        )
    tasks = column_titles(list(summaries), published_table(pair.table))
    return ClaimTest(
        effect=f"{with_interval(difference, 'percent')}, tolerance {100 * pair.tolerance:g} percent",
        basis=f"{len(percentages)} seeds, each the mean over {len(summaries)} tasks ({tasks})",
        cells=_cells(summaries, seeds),
        difference=difference,
        unit="percent",
        **p_values_within(difference, 100 * pair.tolerance),
    )


def _excess_percentages(summaries: Sequence[tuple[Summary, Summary]], seed: int) -> list[float]:
    """By how many percent the first method trains more parameters than the second at one seed, task by task.

    Empty where a result does not say how many parameters it trains.
    """
    counts = [
        tuple(result.trainable_parameters or 0 for side in both for result in side.at([seed])) for both in summaries
    ]
    return [100 * (one / other - 1) for one, other in counts] if all(map(all, counts)) else []


def _summaries(pair: Pair, evidence: Evidence) -> dict[str, tuple[Summary, Summary]]:
    """Column -> summaries of both methods, for the columns that both methods have."""
    table = published_table(pair.table)
    by_column = {column: evidence.pair(column, pair.method, pair.against, table) for column in table.columns}
    return {column: summaries for column, summaries in by_column.items() if summaries}


def _cells(summaries: Mapping[str, tuple[Summary, Summary]], seeds: Sequence[int]) -> Cells:
    """The cells of both methods at these seeds, in all columns."""
    return Cells.of(result for both in summaries.values() for side in both for result in side.at(seeds))


def difference_of_means(pair: Pair, evidence: Evidence) -> tuple[Difference, str, Cells] | Untested:
    """The difference of the means over tasks, in points and paired by seed; its tasks and number of seeds; its cells."""
    summaries, table = _summaries(pair, evidence), published_table(pair.table)
    if others := [column for column in summaries if table.scale(column) != POINTS]:
        return Untested(reason=f"{column_titles(others, table)} are not in points, and have no mean with other columns")
    seeds = common_seeds([summary for both in summaries.values() for summary in both])
    if len(seeds) < 2:
        return Untested(reason=f"{pair.method} and {pair.against} have fewer than two seeds in common on their tasks")
    means = [
        [statistics.mean(both[side].of_seed(seed) for both in summaries.values()) for seed in seeds] for side in (0, 1)
    ]
    difference = paired(*means, least_sd=resolution_of_mean([both[0] for both in summaries.values()]))
    assert difference
    tasks = f"{len(summaries)} of {len(table.columns)} tasks ({column_titles(list(summaries), table)})"
    return difference, f"{tasks}, {len(seeds)} seeds", _cells(summaries, seeds)


def _test_of_means(
    pair: Pair, evidence: Evidence, p_values: Callable[[Difference], Mapping[str, float]], note: str = ""
) -> ClaimTest | Untested:
    """The test of the difference of the means over tasks; the note is appended to the effect."""
    compared = difference_of_means(pair, evidence)
    if isinstance(compared, Untested):
        return compared
    difference, basis, cells = compared
    effect = _effect(pair, difference, evidence) + note
    return ClaimTest(
        effect=effect, basis=basis, cells=cells, difference=difference, unit=POINTS.unit, **p_values(difference)
    )


def _effect(pair: Pair, difference: Difference, evidence: Evidence) -> str:
    """The difference as text, with its interval for fixed examples and, with resampling, for random examples."""
    text = with_interval(difference, POINTS.unit)
    if not evidence.resampling:
        return text
    summaries = _summaries(pair, evidence)
    variance = sum(evidence.example_variance(*both) for both in summaries.values()) / len(summaries) ** 2
    fixed, random = difference.interval(0.95), difference.with_examples(variance).interval(0.95)
    # With more degrees of freedom, the interval for random examples can be narrower than the one for fixed examples.
    low, high = min(fixed[0], random[0]), max(fixed[1], random[1])
    return f"{text}; were the examples random too [{low:+.2f}, {high:+.2f}]"
