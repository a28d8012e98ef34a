"""Tests of claims about training time and inference time."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.analysis.claims.claim import ClaimTest, Untested, against_constant, with_interval
from benchmarks.analysis.claims.evidence import Evidence
from benchmarks.core.nested import build


@dataclass(frozen=True, kw_only=True)
class CostRatio:
    """Settings of tests of training time."""

    method: str
    against: str
    times: float
    """Claimed training time of the method in multiples of the other's."""


@dataclass(frozen=True, kw_only=True)
class SlowerInference:
    """Settings of the test whether inference with `method` is slower than with `against`."""

    method: str
    against: str


def costs_at_most(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that the method's training time is at most `times` the other's, over the rounds of the newest cost run."""
    cost_ratio = build(CostRatio, settings, "costs-at-most")
    method, against, times = cost_ratio.method, cost_ratio.against, cost_ratio.times
    run = next((run for run in reversed(evidence.costs) if {method, against} <= run.methods.keys()), None)
    if run is None:
        return Untested(reason=f"no cost run has {method} and {against}; `measure cost` measures them")
    ratios = run.ratios(method, against)
    difference = against_constant(ratios, times)
    if difference is None:
        return Untested(
            reason="the cost run has fewer than two rounds that nothing disturbed, or equal ratios in all of them"
        )
    return ClaimTest(
        effect=f"{statistics.mean(ratios):.2f} times, {with_interval(difference, f'from {times:g}')}",
        p_for=difference.p_below(0),
        p_against=difference.p_above(0),
        basis=f"{len(ratios)} rounds, {'projected' if run.timed_steps else 'measured'}, {run.environment.machine}",
        difference=difference,
        unit="times",
    )


def slower_inference(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that the method's inference takes longer than the other's, over the rounds of the newest speed run."""
    latency = build(SlowerInference, settings, "slower-inference")
    for run in reversed(evidence.speeds):
        by_work = run.ratios(latency.method, latency.against)
        if not by_work:
            continue
        estimates = {work: against_constant(ratios, 1.0) for work, ratios in by_work.items()}
        differences = {work: difference for work, difference in estimates.items() if difference}
        if differences:
            return ClaimTest(
                effect="; ".join(f"{work}: {with_interval(each, 'times more')}" for work, each in differences.items()),
                p_for=max(each.p_above(0) for each in differences.values()),
                p_against=min(1.0, len(differences) * min(each.p_below(0) for each in differences.values())),
                basis=f"{run.model_title}, {run.environment.machine}",
            )
    return Untested(reason="no speed run has their inference; `measure speed --only inference` measures it")
