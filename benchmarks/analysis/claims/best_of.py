"""Test of claims that a method is the best on at least some number of columns of a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.analysis.claims.claim import NEVER, ClaimTest, Untested, column_titles
from benchmarks.analysis.claims.evidence import Evidence, common_seeds
from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import paired
from benchmarks.core.nested import build
from benchmarks.store.published import PublishedTable, published_table


@dataclass(frozen=True, kw_only=True)
class Best:
    """Settings of tests that a method is the best."""

    table: int
    method: str
    against: tuple[str, ...]
    at_least: int
    """Number of columns on which the method must be the best."""
    level: float
    """Largest difference from the best peer, in points of the column's scale (`Scale.of_points`), at which the method still counts as level with the peer."""
    columns: tuple[str, ...] = ()
    """Columns to compare; empty means all columns of the table."""
    model: str = ""
    """Backbone that the claim is about, if it differs from the table's."""


def best_of(settings: Mapping[str, Any], evidence: Evidence) -> ClaimTest | Untested:
    """Test that the method is above all peers, or level with them, on at least `at_least` columns.

    A column is won if the one-sided tests against all peers reject, and lost if the test in the opposite direction
    rejects for some peer (Bonferroni over peers). The numbers of columns won and lost are tested by partial conjunction
    (Benjamini and Heller 2008, Bonferroni's form).
    """
    best = build(Best, settings, "best-of")
    table = published_table(best.table)
    model = best.model or table.model
    if best.model and evidence.model != best.model:
        return Untested(reason=f"it is about {model}; measured here was {evidence.model_title}")
    columns = best.columns or tuple(table.columns)
    p_values = {column: _p_won_and_lost(best, column, table, evidence) for column in columns}
    measured = {column: p for column, p in p_values.items() if p}
    if not measured:
        return Untested(reason=f"no column of Table {best.table} has {best.method} and a peer at two seeds")
    unmeasured = [NEVER] * (len(columns) - len(measured))
    p_won, p_lost = ([p[side] for p in measured.values()] + unmeasured for side in (0, 1))
    won, lost = (sum(p < 0.05 for p in side) for side in (p_won, p_lost))
    return ClaimTest(
        effect=f"won {won}, lost {lost} of {len(measured)} columns at the 5% level, one by one",
        p_for=partial_conjunction(p_won, best.at_least),
        p_against=partial_conjunction(p_lost, len(columns) - best.at_least + 1),
        basis=f"{column_titles(list(measured), table)}; needed are {best.at_least} of {len(columns)}",
        cells=_cells(best, measured, table, evidence),
    )


def partial_conjunction(p_values: Sequence[float], at_least: int) -> float:
    """P value against "fewer than `at_least` of these null hypotheses are false"."""
    return min(1.0, (len(p_values) - at_least + 1) * sorted(p_values)[at_least - 1])


def _cells(best: Best, columns: Iterable[str], table: PublishedTable, evidence: Evidence) -> Cells:
    """The cells of the method and of its peers at the seeds that they have in common, pair by pair."""
    pairs = [evidence.pair(column, best.method, peer, table) for column in columns for peer in best.against]
    return Cells.of(result for pair in pairs if pair for side in pair for result in side.at(common_seeds(pair)))


def _p_won_and_lost(best: Best, column: str, table: PublishedTable, evidence: Evidence) -> tuple[float, float] | None:
    """P values for winning and for losing a column; None where a peer is missing or has fewer than two seeds."""
    sign = -1 if column in table.lower_is_better else 1
    level = table.scale(column).of_points(best.level)
    differences = []
    for peer in best.against:
        pair = evidence.pair(column, best.method, peer, table)
        seeds = common_seeds(pair) if pair else []
        scores = [[summary.of_seed(seed) for seed in seeds] for summary in pair or ()]
        difference = paired(*scores, least_sd=pair[0].resolution) if pair else None
        if difference is None:
            return None
        differences.append(difference if sign > 0 else difference.negated())
    won = max(difference.p_above(-level) for difference in differences)
    lost = min(1.0, len(differences) * min(difference.p_below(-level) for difference in differences))
    return won, lost
