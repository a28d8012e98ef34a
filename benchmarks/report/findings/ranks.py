"""Statements on learned ranks: whether searches agree on them, and whether they are worth anything."""

from collections.abc import Sequence
from statistics import mean

from statsmodels.stats.multitest import multipletests

from autolora.finding.agreement import Agreement, concordance
from benchmarks.analysis.claims.rank_tests import ranks_of
from benchmarks.analysis.stats import Summary
from benchmarks.report.findings.statement import Clause, Statement, listed, plural, spread
from benchmarks.report.part import Part
from benchmarks.report.rank_report import LEARNED, controls_of

LEVEL = 0.05
"""Level of all tests, after a correction over those of one set of results."""
FEW = 3
"""Number of tasks up to which each is named with its number."""


def learned(parts: Sequence[Part]) -> Statement | None:
    """Whether searches that differ in the seed alone agree on the ranks more than by chance; None without two searches."""
    clauses, differ = [], 0
    for part in parts:
        found = [
            (each, agreed) for each in part.evidence.summaries_of(LEARNED) if (agreed := concordance(ranks_of(each)))
        ]
        if found:
            p = min(1.0, len(found) * min(agreed.p for _, agreed in found))
            differ += p < LEVEL
            clauses.append(Clause(says=_agreements(found, p), where=part.label, anchor=f"{part.name}-grids"))
    if not clauses:
        return None
    answer = "The learned ranks cannot be distinguished from noise"
    if differ:
        answer = f"The learned ranks differ from noise in {differ} of {plural(len(clauses), 'set')} of results"
    return Statement(
        answer=answer,
        measure="Agreement of searches that differ in the seed alone on where ranks are high (Kendall's W; permutation test, "
        "Bonferroni over tasks)",
        clauses=clauses,
        docs="docs/search.md#learned-ranks",
    )


def controls(parts: Sequence[Part]) -> Statement | None:
    """Whether the learned ranks score differently from others of the same total; None without controls at two seeds."""
    clauses, better, worse = [], 0, 0
    for part in parts:
        tasks = [summary.results[0].task for summary in part.evidence.summaries_of(LEARNED)]
        found = [each for task in tasks for each in controls_of(task, part.results) if each.difference]
        differences = [each.difference for each in found if each.difference]
        if not differences:
            continue
        p_values = [difference.p_nonzero() for difference in differences]
        rejected = multipletests(p_values, alpha=LEVEL, method="holm")[0]
        signs = [difference.value for difference, reject in zip(differences, rejected, strict=True) if reject]
        better += sum(sign > 0 for sign in signs)
        worse += sum(sign < 0 for sign in signs)
        says = (
            f"different scores in {len(signs) or 'none'} of {plural(len(found), 'comparison')} on "
            f"{listed(list(dict.fromkeys(each.title for each in found)))}, p at least {min(p_values):.2f}, "
            f"{spread([each.seeds for each in found], 0)} seeds each"
        )
        clauses.append(Clause(says=says, where=part.label, anchor=f"{part.name}-grids"))
    if not clauses:
        return None
    answer = "The learned ranks bring no measurable gain"
    if better or worse:
        answer = f"The learned ranks are better than others in {plural(better, 'comparison')} and worse in {worse}"
    return Statement(
        answer=answer,
        measure="Retraining with ranks shuffled over the projections, random ranks or one rank for all, of the same total "
        "(t tests paired by seed, Holm)",
        clauses=clauses,
        docs="docs/search.md#learned-ranks",
    )


def _agreements(found: Sequence[tuple[Summary, Agreement]], p: float) -> str:
    """W of each task, or its range; W by chance; the corrected p value; the number of searches; the mean rank."""
    searches = [each for each, _ in found]
    if len(found) <= FEW:
        w = listed([f"{agreed.w:.2f} on {each.results[0].task_title}" for each, agreed in found])
    else:
        w = f"{spread([agreed.w for _, agreed in found], 2)} on {len(found)} tasks"
    counts = [len(each.results) for each in searches]
    means = [mean(rank for ranks in ranks_of(each) for rank in ranks) for each in searches]
    max_rank = searches[0].results[0].config["method"]["search"]["max_rank"]
    return (
        f"W {w}, by chance {spread([1 / count for count in counts], 2)}, p {p:.2f}, {spread(counts, 0)} searches each, "
        f"mean rank {spread(means, 1)} of {max_rank}"
    )
