"""Compares new results with the reference, cell by cell: moved, as before, same bits, or not comparable."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import mean
from typing import Literal

from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from benchmarks.analysis.difference import Difference, unpaired
from benchmarks.analysis.regression.invariants import violations
from benchmarks.analysis.regression.records import code_changes, refusals, stack_changes
from benchmarks.analysis.stats import Summary, summarise
from benchmarks.store.result import Result
from benchmarks.tasks.metrics.scales import POINTS, Scale

LEVEL = 0.005
"""Probability of a false alarm in a whole check: family-wise level over all its cells (Holm's correction)."""
POWER = 0.8
"""Power at which the detectable difference is stated."""

Outcome = Literal["same bits", "as before", "moved", "not comparable"]
OUTCOMES: tuple[Outcome, ...] = ("moved", "not comparable", "as before", "same bits")
"""The most serious outcome first."""


@dataclass(frozen=True, kw_only=True)
class CellCheck:
    """Outcome of the check for one task and method."""

    task_title: str
    method_title: str
    scale: Scale = POINTS
    """The scale of the scores, their difference and the detectable difference."""
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    """Why the cell moved, or cannot be compared."""
    reference: Sequence[float] = ()
    """The reference's scores, one per seed."""
    reference_collapsed: int | None = None
    """Number of the reference's cells that have collapsed; None where no result records it."""
    candidate: Sequence[float] = ()
    """The new scores, one per seed."""
    candidate_collapsed: int | None = None
    """The same of the new cells."""
    difference: Difference | None = None
    """Candidate less reference."""
    p: float | None = None
    """Two-sided p value, corrected for the number of cells."""
    detectable_difference: float | None = None
    """Smallest difference that the test detects with 80% power (POWER)."""
    stack: tuple[str, ...] = ()
    """Differences in machine and installed packages, as clauses."""
    code: tuple[str, ...] = ()
    """Differences in this project's code, as clauses."""

    def moved(self, *reasons: str) -> "CellCheck":
        """A copy with the outcome "moved" and these reasons."""
        return replace(self, outcome="moved", reasons=reasons)


def check(
    candidates: Iterable[Result], references: Iterable[Result], scope: Iterable[tuple[str, str]]
) -> list[CellCheck]:
    """Compare cell by cell.

    Args:
        candidates: new results, including failed ones.
        references: results of `results/reference/PRESET`.
        scope: (task, method) of every cell to compare.
    """
    candidates, references = list(candidates), list(references)
    summaries = summarise(candidates)
    checks = []
    for task, method in scope:
        failed = [each for each in candidates if (each.task, each.method, each.status) == (task, method, "failed")]
        old = [each for each in references if (each.task, each.method, each.status) == (task, method, "done")]
        checks.append(_check(task, method, summaries.get((task, method)), failed, old))
    return _corrected(checks)


def exit_status(checks: Sequence[CellCheck]) -> int:
    """0: all as before; 1: a cell moved; 2: no cell moved, but a cell could not be compared or there were none."""
    outcomes = {each.outcome for each in checks}
    return 1 if "moved" in outcomes else 2 if "not comparable" in outcomes or not checks else 0


def _check(
    task: str, method: str, candidate: Summary | None, failed: Sequence[Result], references: Sequence[Result]
) -> CellCheck:
    known = [*(candidate.results if candidate else ()), *failed, *references]
    cell = CellCheck(
        task_title=known[0].task_title if known else task,
        method_title=known[0].method_title if known else method,
        outcome="not comparable",
    )
    if failed:
        return cell.moved(*(f"seed {result.seed} failed: {result.reason}" for result in failed))
    if not candidate:
        return replace(cell, reasons=("it was not run",))
    if broken := dict.fromkeys(clause for result in candidate.results for clause in violations(result)):
        return cell.moved(*broken)
    first = candidate.results[0]
    comparable = [result for result in references if not refusals(first, result)]
    if not comparable:
        newest = max(references, key=lambda result: result.finished, default=None)
        return replace(cell, reasons=tuple(refusals(first, newest)) if newest else ("there is no reference",))
    reference = _nearest(first, comparable)
    cell = replace(
        cell,
        outcome="as before",
        scale=first.scale,
        reference=reference.scores,
        reference_collapsed=reference.collapsed,
        candidate=candidate.scores,
        candidate_collapsed=candidate.collapsed,
        stack=tuple(stack_changes(first.environment, reference.results[0].environment)),
        code=_code(candidate, reference),
    )
    return _by_bits(candidate, reference, cell) or _by_scores(first, cell)


def _nearest(candidate: Result, references: Sequence[Result]) -> Summary:
    """The references of the candidate's environment, or of the newest environment if there are none."""
    same_stack = [each for each in references if not stack_changes(candidate.environment, each.environment)]
    (summary,) = summarise(same_stack or references).values()
    return summary


def _code(candidate: Summary, reference: Summary) -> tuple[str, ...]:
    """Differences in code between results of the same seed, as clauses without repetition."""
    pairs = [(new, old) for new in candidate.results for old in reference.results if new.seed == old.seed]
    clauses = [clause for new, old in pairs for clause in code_changes(new.environment, old.environment)]
    return tuple(dict.fromkeys(clauses))


def _by_bits(candidate: Summary, reference: Summary, cell: CellCheck) -> CellCheck | None:
    """The outcome from the fingerprints of predictions at common seeds; None where they do not decide it."""
    bits: Mapping[int, str | None] = {each.seed: each.fingerprints.get("predictions") for each in reference.results}
    common = [each for each in candidate.results if bits.get(each.seed)]
    if not common:
        return None
    differing = [each.seed for each in common if each.fingerprints.get("predictions") != bits[each.seed]]
    if not differing:
        return replace(cell, outcome="same bits") if len(common) == len(candidate.results) else None
    if not cell.stack and not cell.code:
        seeds = ", ".join(map(str, differing))
        return cell.moved(f"same environment and code, other bits at seed {seeds}")
    return None


def _by_scores(candidate: Result, cell: CellCheck) -> CellCheck:
    """The cell with its difference and its p value, not yet corrected for the number of cells."""
    difference = unpaired(cell.candidate, cell.reference, least_sd=candidate.resolution)
    if difference is None:
        reason = "one seed on each side, and other bits: the noise is not known"
        return replace(cell, outcome="not comparable", reasons=(reason,))
    return replace(cell, difference=difference, p=difference.p_nonzero())


def _corrected(checks: Sequence[CellCheck]) -> list[CellCheck]:
    """Apply Holm's correction over the tested cells, and add the detectable difference of each."""
    tested = [each.p for each in checks if each.p is not None]
    corrected = iter(multipletests(tested, alpha=LEVEL, method="holm")[1] if tested else ())
    return [each if each.p is None else _judged(each, float(next(corrected)), len(tested)) for each in checks]


def _judged(cell: CellCheck, p: float, tested: int) -> CellCheck:
    """The outcome from a corrected p value; `tested` is the number of tested cells."""
    assert cell.difference
    cell = replace(cell, p=p, detectable_difference=_detectable_difference(cell, cell.difference, LEVEL / tested))
    if p >= LEVEL:
        return cell
    now, before = (cell.scale.text(mean(scores)) for scores in (cell.candidate, cell.reference))
    return cell.moved(f"{now} instead of {before} (p {p:.1g})")


def _detectable_difference(cell: CellCheck, difference: Difference, level: float) -> float:
    """Smallest difference that a two-sided t test at this level detects with POWER."""
    candidates, references = len(cell.candidate), len(cell.reference)
    sd = difference.error / math.sqrt(1 / candidates + 1 / references)
    return _detectable_effect(candidates, references, level) * sd


@cache
def _detectable_effect(candidates: int, references: int, level: float) -> float:
    """The detectable difference in standard deviations of a score, from the numbers of seeds.

    The power is the upper tail of the noncentral t distribution; the lower tail adds less than `level` to it.
    """
    degrees_of_freedom = candidates + references - 2
    critical = float(stats.t.isf(level / 2, degrees_of_freedom))

    def missing_power(noncentrality: float) -> float:
        return POWER - float(stats.nct.sf(critical, degrees_of_freedom, noncentrality))

    upper = critical
    while missing_power(upper) > 0:
        upper *= 2
    noncentrality = float(optimize.brentq(missing_power, 0.0, upper))
    return noncentrality * math.sqrt(1 / candidates + 1 / references)
