"""Scores of rank allocators on planted problems, over seeds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats
from statsmodels.stats.multitest import multipletests

from autolora.finding.agreement import Agreement, concordance
from benchmarks.analysis.difference import paired
from benchmarks.analysis.rank_stats import correlation
from benchmarks.store.allocation_record import AllocationRun, Trial

LEVEL = 0.05
"""Level of "better than uniform", over all allocators of a table together."""
CONTROLS = ("uniform", "oracle")


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean over runs with its 95% interval by Student's t."""

    value: float
    half_width: float | None
    """None for a single run."""

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Mean | None":
        """The mean of the known values; None where none is known."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        half = None
        if len(known) > 1:
            error = statistics.stdev(known) / len(known) ** 0.5
            half = float(stats.t.ppf(0.975, len(known) - 1)) * error
        return cls(value=statistics.mean(known), half_width=half)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One allocator on the planted problems of one setting at one budget, over seeds."""

    allocator: str
    title: str
    seeds: int
    correlation: Mean | None
    """Spearman's rank correlation with the planted ranks; None where either is constant."""
    needed: Mean | None
    """Share of the parameters that are spent on layers with a planted update."""
    recovered: Mean | None
    """(loss of uniform - loss) / (loss of uniform - loss of oracle); None on the control, where both are the same."""
    loss: Mean | None
    agreement: Agreement | None
    """Kendall's W of the ranks of different seeds."""
    cost: Mean | None
    """Time of the allocation over the time of one LoRA training with its ranks."""
    p: float | None
    """One-sided paired t test of "the loss is below uniform's", not corrected; None for uniform or fewer than two
    seeds."""
    better: bool
    """Whether it is called better than uniform: p after Holm's correction over the allocators is below LEVEL."""


def scores(runs: Sequence[AllocationRun], share: float = 1.0) -> list[Scores]:
    """The scores of every allocator that all of these runs have, in the order of the first run.

    Args:
        runs: of one setting, which differ in the seed.
        share: the budget, over the number of parameters of the planted updates.
    """
    trials = [{trial.allocator: trial for trial in run.trials if trial.share == share} for run in runs]
    names = [name for name in trials[0] if all(name in each for each in trials)]
    p_values = {name: _p([each[name] for each in trials], [each["uniform"] for each in trials]) for name in names}
    tested = {name: p for name, p in p_values.items() if p is not None and name not in CONTROLS}
    called = better_than_uniform(tested)
    return [_scores(name, runs, trials, p_values[name], better=name in called) for name in names]


def better_than_uniform(p_values: Mapping[str, float]) -> set[str]:
    """Names whose one-sided p values are significant at LEVEL after Holm's correction over all of them."""
    if not p_values:
        return set()
    rejected = multipletests([*p_values.values()], alpha=LEVEL, method="holm")[0]
    return {name for name, each in zip(p_values, rejected, strict=True) if each}


def recovered(loss: float, uniform: float, oracle: float) -> float | None:
    """The way from uniform (0) to oracle (1) that a loss has gone; None where the oracle is not below uniform."""
    return (uniform - loss) / (uniform - oracle) if oracle < uniform else None


def _scores(
    name: str,
    runs: Sequence[AllocationRun],
    trials: Sequence[Mapping[str, Trial]],
    p: float | None,
    *,
    better: bool,
) -> Scores:
    own = [each[name] for each in trials]
    return Scores(
        allocator=name,
        title=own[0].title,
        seeds=len(runs),
        correlation=Mean.of([correlation(trial.ranks, run.truth) for trial, run in zip(own, runs, strict=True)]),
        needed=Mean.of([_needed(trial, run) for trial, run in zip(own, runs, strict=True)]),
        recovered=Mean.of(
            [recovered(each[name].loss, each["uniform"].loss, each["oracle"].loss) for each in trials]
        ),
        loss=Mean.of([trial.loss for trial in own]),
        agreement=concordance([trial.ranks for trial in own]),
        cost=Mean.of([trial.seconds / trial.training_seconds for trial in own]),
        p=p,
        better=better,
    )  # fmt: skip


def _p(own: Sequence[Trial], uniform: Sequence[Trial]) -> float | None:
    """One-sided, paired by seed; None for fewer than two seeds, or where no loss differs."""
    difference = paired([trial.loss for trial in uniform], [trial.loss for trial in own])
    return difference.p_above(0) if difference and (difference.value or difference.error) else None


def _needed(trial: Trial, run: AllocationRun) -> float | None:
    """Share of the parameters on layers with a planted update; None where every layer has one."""
    if all(run.truth):
        return None
    spent = [rank * cost for rank, cost in zip(trial.ranks, run.costs, strict=True)]
    return sum(each for each, true in zip(spent, run.truth, strict=True) if true) / sum(spent)
