"""Tests of claims about learned ranks: that they differ between layers, and between tasks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autolora.finding.agreement import concordance
from benchmarks.analysis.claims.claim import NEVER, ClaimTest, Untested
from benchmarks.analysis.claims.evidence import Evidence, common_seeds
from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.rank_stats import task_effect
from benchmarks.analysis.stats import Summary
from benchmarks.core.nested import build


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Settings of tests of learned ranks."""

    method: str


def ranks_by_layer(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that ranks differ between layers: Kendall's W of each task's searches, Bonferroni over tasks."""
    method = build(Ranks, settings, "ranks-by-layer").method
    summaries = evidence.summaries_of(method)
    agreements = {
        summary.results[0].task_title: agreed for summary in summaries if (agreed := concordance(ranks_of(summary)))
    }
    if not agreements:
        return Untested(reason=f"no task has two searches of {method}")
    searches = [result for summary in summaries for result in summary.results]
    return ClaimTest(
        effect=", ".join(f"{task}: W {agreed.w:.2f}, p {agreed.p:.3f}" for task, agreed in agreements.items()),
        p_for=min(1.0, len(agreements) * min(agreed.p for agreed in agreements.values())),
        p_against=NEVER,
        basis=f"{len(agreements)} tasks, {len(searches)} searches",
        cells=Cells.of(searches),
    )


def ranks_by_task(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that ranks differ between tasks: searches of one task correlate more than searches of different tasks."""
    method = build(Ranks, settings, "ranks-by-task").method
    summaries = evidence.summaries_of(method)
    seeds = common_seeds(summaries)
    if len(summaries) < 2 or len(seeds) < 2:
        return Untested(reason=f"fewer than two tasks have searches of {method} at two common seeds")
    ranks = [[ranks_of(summary)[summary.seeds.index(seed)] for seed in seeds] for summary in summaries]
    effect = task_effect(ranks)
    return ClaimTest(
        effect=f"Spearman {effect.difference:+.3f} higher within a task than between two",
        p_for=effect.p,
        p_against=NEVER,
        basis=f"{len(summaries)} tasks, {len(seeds)} seeds",
        cells=Cells.of(result for summary in summaries for result in summary.at(seeds)),
    )


def ranks_of(summary: Summary) -> list[list[int]]:
    """Ranks of one task, shape (searches, projections)."""
    return [list((result.ranks or {}).values()) for result in summary.results]
