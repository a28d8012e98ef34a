"""The tests behind the paper's claims. Each takes a claim's settings and what was measured."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from benchmarks.analysis.claims.claim import ClaimTest, Untested, in_points
from benchmarks.analysis.claims.evidence import Evidence, common_seeds
from benchmarks.analysis.difference import Difference, paired
from benchmarks.analysis.rank_stats import agreement, task_effect
from benchmarks.analysis.stats import Summary, resolution_of_mean
from benchmarks.core.nested import build
from benchmarks.store.published import PublishedTable, published_table

NEVER = 1.0
"""P value of what a test cannot show."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Settings of tests that compare two methods on average over a table's tasks."""

    table: int
    method: str
    against: str
    tolerance: float = 0.0
    """Share by which two numbers may differ and still be about equal."""


@dataclass(frozen=True, kw_only=True)
class Best:
    """Settings of tests of who is the best."""

    table: int
    method: str
    against: tuple[str, ...]
    at_least: int
    """On so many columns."""
    level: float
    """Differences up to this size, in points, count as being level with the best."""
    columns: tuple[str, ...] = ()
    """All of the table's, if empty."""
    model: str = ""
    """Backbone that the claim is about, where it is not the table's."""


@dataclass(frozen=True, kw_only=True)
class CostRatio:
    """Settings of tests of training time."""

    method: str
    against: str
    times: float


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Settings of tests of learned ranks."""

    method: str


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Settings of tests of inference."""

    method: str
    against: str


def better(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """The method's mean over tasks less the other's, seed by seed, is above 0."""
    asked = build(Pair, settings, "better")
    found = _compared(asked, evidence)
    if isinstance(found, Untested):
        return found
    difference, basis = found
    return ClaimTest(
        effect=_with_examples(asked, difference, evidence),
        p_for=difference.p_above(0),
        p_against=difference.p_below(0),
        basis=basis,
    )


def on_par(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """That difference lies within the margin: two one-sided tests."""
    asked = build(Pair, settings, "on-par")
    found = _compared(asked, evidence)
    if isinstance(found, Untested):
        return found
    difference, basis = found
    return ClaimTest(
        effect=f"{_with_examples(asked, difference, evidence)}, margin {evidence.margin.points:g}",
        basis=basis,
        **_within(difference, evidence.margin.points),
    )


def best_of(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """On at least so many columns the method is above all others, or level with them.

    A column is won where every peer's one-sided test says so, and lost where one of them (Bonferroni) says the
    contrary. How many columns are won is a partial conjunction (Benjamini and Heller 2008), Bonferroni's form; so is
    how many are lost.
    """
    asked = build(Best, settings, "best-of")
    table = published_table(asked.table)
    model = asked.model or table.model
    if asked.model and evidence.model != asked.model:
        return Untested(reason=f"it is about {model}; measured here was {evidence.model_title}")
    columns = asked.columns or tuple(table.columns)
    won = {column: _won_and_lost(asked, column, table, evidence) for column in columns}
    at_hand = {column: p for column, p in won.items() if p}
    if not at_hand:
        return Untested(reason=f"no column of Table {asked.table} has {asked.method} and a peer at two seeds")
    wins = [p[0] for p in at_hand.values()] + [NEVER] * (len(columns) - len(at_hand))
    losses = [p[1] for p in at_hand.values()] + [NEVER] * (len(columns) - len(at_hand))
    shown_wins, shown_losses = (sum(p < 0.05 for p in side) for side in (wins, losses))
    return ClaimTest(
        effect=f"won {shown_wins}, lost {shown_losses} of {len(at_hand)} columns at the 5% level, one by one",
        p_for=partial_conjunction(wins, asked.at_least),
        p_against=partial_conjunction(losses, len(columns) - asked.at_least + 1),
        basis=f"{_titles(list(at_hand), table)}; needed are {asked.at_least} of {len(columns)}",
    )


def as_many_parameters(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """The methods' trainable parameters differ by no more than the tolerance, on average over tasks and seeds."""
    asked = build(Pair, settings, "as-many-parameters")
    pairs = _pairs(asked, evidence)
    shares = [
        100 * (one.trainable_parameters / other.trainable_parameters - 1)
        for mine, others in pairs.values()
        for one, other in zip(mine.results, others.results, strict=False)
        if one.trainable_parameters and other.trainable_parameters
    ]
    difference = paired(shares, [0.0] * len(shares))
    if difference is None:
        return Untested(reason=f"{asked.method} and {asked.against} have fewer than two results in common")
    return ClaimTest(
        effect=f"{in_points(difference, 'percent')}, tolerance {100 * asked.tolerance:g} percent",
        basis=f"{len(shares)} pairs of results",
        **_within(difference, 100 * asked.tolerance),
    )


def costs_at_most(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """The method's training time in multiples of the other's, over the rounds of the newest cost run."""
    asked = build(CostRatio, settings, "costs-at-most")
    run = next((run for run in reversed(evidence.costs) if {asked.method, asked.against} <= run.methods.keys()), None)
    if run is None:
        return Untested(reason=f"no cost run has {asked.method} and {asked.against}; `measure cost` measures them")
    ratios = run.ratios(asked.method, asked.against)
    difference = paired(ratios, [asked.times] * len(ratios))
    if difference is None:
        return Untested(reason="the cost run has fewer than two rounds that nothing disturbed")
    return ClaimTest(
        effect=f"{statistics.mean(ratios):.2f} times, {in_points(difference, f'from {asked.times:g}')}",
        p_for=difference.p_below(0),
        p_against=difference.p_above(0),
        basis=f"{len(ratios)} rounds, {'projected' if run.timed_steps else 'measured'}, {run.environment.device_name}",
    )


def ranks_by_layer(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Kendall's W of the searches of a task, by permutation; the smallest p value over tasks, Bonferroni."""
    asked = build(Ranks, settings, "ranks-by-layer")
    found = {
        summary.results[0].task_title: agreed
        for summary in evidence.summaries_of(asked.method)
        if (agreed := agreement(_ranks(summary)))
    }
    if not found:
        return Untested(reason=f"no task has two searches of {asked.method}")
    return ClaimTest(
        effect=", ".join(f"{task}: W {agreed.w:.2f}, p {agreed.p:.3f}" for task, agreed in found.items()),
        p_for=min(1.0, len(found) * min(agreed.p for agreed in found.values())),
        p_against=NEVER,
        basis=f"{len(found)} tasks, {_count(evidence.summaries_of(asked.method))} searches",
    )


def ranks_by_task(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Searches of one task correlate more than searches of two, by permutation of the tasks at each seed."""
    asked = build(Ranks, settings, "ranks-by-task")
    summaries = evidence.summaries_of(asked.method)
    seeds = common_seeds(summaries)
    if len(summaries) < 2 or len(seeds) < 2:
        return Untested(reason=f"fewer than two tasks have searches of {asked.method} at two common seeds")
    ranks = [[_ranks(summary)[summary.seeds.index(seed)] for seed in seeds] for summary in summaries]
    effect = task_effect(ranks)
    return ClaimTest(
        effect=f"Spearman {effect.difference:+.3f} higher within a task than between two",
        p_for=effect.p,
        p_against=NEVER,
        basis=f"{len(summaries)} tasks, {len(seeds)} seeds",
    )


def slower_inference(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """The method's time to answer over the other's, over the rounds of the newest speed run."""
    asked = build(Latency, settings, "slower-inference")
    for run in reversed(evidence.speeds):
        works = run.ratios(asked.method, asked.against)
        if not works:
            continue
        differences = {work: paired(ratios, [1.0] * len(ratios)) for work, ratios in works.items()}
        known = {work: difference for work, difference in differences.items() if difference}
        if known:
            return ClaimTest(
                effect="; ".join(f"{work}: {in_points(found, 'times more')}" for work, found in known.items()),
                p_for=max(found.p_above(0) for found in known.values()),
                p_against=min(1.0, len(known) * min(found.p_below(0) for found in known.values())),
                basis=f"{run.model_title}, {run.environment.device_name}",
            )
    return Untested(reason="no speed run has their inference; `measure speed --only inference` measures it")


KINDS: Mapping[str, Callable[[Mapping[str, Any], Evidence], ClaimTest | Untested]] = MappingProxyType(
    {
        "better": better,
        "on-par": on_par,
        "best-of": best_of,
        "as-many-parameters": as_many_parameters,
        "costs-at-most": costs_at_most,
        "ranks-by-layer": ranks_by_layer,
        "ranks-by-task": ranks_by_task,
        "slower-inference": slower_inference,
    }
)
"""Name -> test."""


def partial_conjunction(p_values: Sequence[float], at_least: int) -> float:
    """P value against "fewer than so many of these null hypotheses are false"."""
    return min(1.0, (len(p_values) - at_least + 1) * sorted(p_values)[at_least - 1])


def _within(difference: Difference, bound: float) -> dict[str, float]:
    """P values for and against a difference being at most so large."""
    return {
        "p_for": max(difference.p_above(-bound), difference.p_below(bound)),
        "p_against": min(1.0, 2 * min(difference.p_above(bound), difference.p_below(-bound))),
    }


def _pairs(asked: Pair, evidence: Evidence) -> dict[str, tuple[Summary, Summary]]:
    """Column -> both methods' summaries, where both are at hand."""
    table = published_table(asked.table)
    found = {column: evidence.pair(column, asked.method, asked.against, table) for column in table.columns}
    return {column: pair for column, pair in found.items() if pair}


def _compared(asked: Pair, evidence: Evidence) -> tuple[Difference, str] | Untested:
    """The difference of means over tasks, seed by seed, and what it rests on."""
    pairs = _pairs(asked, evidence)
    seeds = common_seeds([summary for pair in pairs.values() for summary in pair])
    if len(seeds) < 2:
        return Untested(reason=f"{asked.method} and {asked.against} have fewer than two seeds in common on their tasks")
    means = [
        [statistics.mean(pair[side].of_seed(seed) for pair in pairs.values()) for seed in seeds] for side in (0, 1)
    ]
    difference = paired(*means, least_sd=resolution_of_mean([pair[0] for pair in pairs.values()]))
    assert difference
    table = published_table(asked.table)
    basis = f"{len(pairs)} of {len(table.columns)} tasks ({_titles(list(pairs), table)}), {len(seeds)} seeds"
    return difference, basis


def _with_examples(asked: Pair, difference: Difference, evidence: Evidence) -> str:
    """The difference in words, and its interval were the examples random too."""
    pairs = _pairs(asked, evidence)
    variance = sum(evidence.example_variance(*pair) for pair in pairs.values()) / len(pairs) ** 2
    fixed, random = difference.interval(0.95), difference.with_examples(variance).interval(0.95)
    low, high = min(fixed[0], random[0]), max(fixed[1], random[1])  # more degrees of freedom can make it narrower
    return f"{in_points(difference)}; were the examples random too [{low:+.2f}, {high:+.2f}]"


def _won_and_lost(asked: Best, column: str, table: PublishedTable, evidence: Evidence) -> tuple[float, float] | None:
    """P values against not being the best there, and against being it; None where a peer is missing."""
    sign = -1 if column in table.lower_is_better else 1
    differences = []
    for peer in asked.against:
        pair = evidence.pair(column, asked.method, peer, table)
        seeds = common_seeds(pair) if pair else []
        scores = [[side.of_seed(seed) for seed in seeds] for side in pair or ()]
        difference = paired(*scores, least_sd=pair[0].resolution) if pair else None
        if difference is None:
            return None
        differences.append(difference if sign > 0 else difference.negated())
    won = max(difference.p_above(-asked.level) for difference in differences)
    lost = min(1.0, len(differences) * min(difference.p_below(-asked.level) for difference in differences))
    return won, lost


def _ranks(summary: Summary) -> list[list[int]]:
    """Searches x projections."""
    return [list((result.ranks or {}).values()) for result in summary.results]


def _titles(columns: Sequence[str], table: PublishedTable) -> str:
    return ", ".join(table.columns[column] for column in columns)


def _count(summaries: Sequence[Summary]) -> int:
    return sum(len(summary.results) for summary in summaries)
