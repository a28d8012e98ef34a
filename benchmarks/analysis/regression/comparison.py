"""New results against the reference: what moved, what did not, and what cannot be compared."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import mean
from typing import Literal

from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower

from benchmarks.analysis.difference import Difference, unpaired
from benchmarks.analysis.regression.invariants import violations
from benchmarks.analysis.regression.records import code_changes, refusals, stack_changes
from benchmarks.analysis.stats import Summary, summarise
from benchmarks.store.result import Result

LEVEL = 0.005
"""Chance of a false alarm in a whole check, over all its cells, after Holm's correction."""
POWER = 0.8
"""With which the smallest difference is stated that a check would have found."""

Outcome = Literal["same bits", "as before", "moved", "not comparable"]
OUTCOMES: tuple[Outcome, ...] = ("moved", "not comparable", "as before", "same bits")
"""The weightiest first."""


@dataclass(frozen=True, kw_only=True)
class CellCheck:
    """One task and method."""

    task_title: str
    method_title: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    """Why it moved, or cannot be compared."""
    reference: Sequence[float] = ()
    """The reference's scores, one per seed."""
    candidate: Sequence[float] = ()
    difference: Difference | None = None
    """Candidate less reference."""
    p: float | None = None
    """Two-sided; corrected for the number of cells."""
    detectable: float | None = None
    """Difference that would have been found with 80% power, in points."""
    stack: tuple[str, ...] = ()
    """What differs of the machine and the packages."""
    code: tuple[str, ...] = ()
    """What differs of this project's code."""

    def moved(self, *reasons: str) -> "CellCheck":
        """The same, moved for these reasons."""
        return replace(self, outcome="moved", reasons=reasons)


def check(
    candidates: Iterable[Result], references: Iterable[Result], scope: Iterable[tuple[str, str]]
) -> list[CellCheck]:
    """Compare cell by cell.

    Args:
        candidates: new results, failed ones too.
        references: of `results/reference/PRESET`.
        scope: (task, method) of every cell that shall be compared.
    """
    candidates, references = list(candidates), list(references)
    new = summarise(candidates)
    checks = []
    for task, method in scope:
        failed = [each for each in candidates if (each.task, each.method, each.status) == (task, method, "failed")]
        old = [each for each in references if (each.task, each.method, each.status) == (task, method, "done")]
        checks.append(_check(task, method, new.get((task, method)), failed, old))
    return _corrected(checks)


def exit_status(checks: Sequence[CellCheck]) -> int:
    """0: as before; 1: something moved; 2: nothing moved, and something could not be compared."""
    outcomes = {each.outcome for each in checks}
    return 1 if "moved" in outcomes else 2 if "not comparable" in outcomes or not checks else 0


def _check(
    task: str, method: str, candidate: Summary | None, failed: Sequence[Result], references: Sequence[Result]
) -> CellCheck:
    known = [*(candidate.results if candidate else ()), *failed, *references]
    found = CellCheck(
        task_title=known[0].task_title if known else task,
        method_title=known[0].method_title if known else method,
        outcome="not comparable",
    )
    if failed:
        return found.moved(*(f"seed {result.seed} failed: {result.reason}" for result in failed))
    if not candidate:
        return replace(found, reasons=("it was not run",))
    if broken := dict.fromkeys(clause for result in candidate.results for clause in violations(result)):
        return found.moved(*broken)
    mine = candidate.results[0]
    comparable = [result for result in references if not refusals(mine, result)]
    if not comparable:
        newest = max(references, key=lambda result: result.finished, default=None)
        return replace(found, reasons=tuple(refusals(mine, newest)) if newest else ("there is no reference",))
    reference = _nearest(mine, comparable)
    found = replace(
        found,
        outcome="as before",
        reference=reference.scores,
        candidate=candidate.scores,
        stack=tuple(stack_changes(mine.environment, reference.results[0].environment)),
        code=_code(candidate, reference),
    )
    return _by_bits(candidate, reference, found) or _by_scores(mine, found)


def _nearest(candidate: Result, references: Sequence[Result]) -> Summary:
    """The references of one environment: the candidate's where there are some, else the newest."""
    alike = [each for each in references if not stack_changes(candidate.environment, each.environment)]
    (summary,) = summarise(alike or references).values()
    return summary


def _code(candidate: Summary, reference: Summary) -> tuple[str, ...]:
    pairs = [(mine, theirs) for mine in candidate.results for theirs in reference.results if mine.seed == theirs.seed]
    clauses = [clause for mine, theirs in pairs for clause in code_changes(mine.environment, theirs.environment)]
    return tuple(dict.fromkeys(clauses))


def _by_bits(candidate: Summary, reference: Summary, found: CellCheck) -> CellCheck | None:
    """What follows from predictions at the same seeds; None where they are no evidence."""
    bits: Mapping[int, str | None] = {each.seed: each.fingerprints.get("predictions") for each in reference.results}
    common = [each for each in candidate.results if bits.get(each.seed)]
    if found.stack or not common:
        return None
    differing = [each.seed for each in common if each.fingerprints.get("predictions") != bits[each.seed]]
    if not differing:
        return replace(found, outcome="same bits") if len(common) == len(candidate.results) else None
    if not found.code:
        seeds = ", ".join(map(str, differing))
        return found.moved(f"same environment and code, other bits at seed {seeds}")
    return None


def _by_scores(candidate: Result, found: CellCheck) -> CellCheck:
    difference = unpaired(found.candidate, found.reference, least_sd=candidate.resolution)
    if difference is None:
        return replace(
            found, outcome="not comparable", reasons=("one seed on each side, and other bits: the noise is not known",)
        )
    return replace(found, difference=difference, p=difference.p_nonzero())


def _corrected(checks: Sequence[CellCheck]) -> list[CellCheck]:
    """Holm's correction over the cells that were tested, and what they would have found."""
    tested = [each.p for each in checks if each.p is not None]
    corrected = iter(multipletests(tested, alpha=LEVEL, method="holm")[1] if tested else ())
    return [each if each.p is None else _judged(each, float(next(corrected)), len(tested)) for each in checks]


def _judged(found: CellCheck, p: float, tested: int) -> CellCheck:
    assert found.difference
    found = replace(found, p=p, detectable=_detectable(found, found.difference, LEVEL / tested))
    if p >= LEVEL:
        return found
    return found.moved(f"{mean(found.candidate):.1f} instead of {mean(found.reference):.1f} (p {p:.1g})")


def _detectable(found: CellCheck, difference: Difference, level: float) -> float:
    """Difference that a two-sided t test at this level finds with POWER."""
    mine, theirs = len(found.candidate), len(found.reference)
    sd = difference.error / math.sqrt(1 / mine + 1 / theirs)
    return _effect(mine, theirs, level) * sd


@cache
def _effect(mine: int, theirs: int, level: float) -> float:
    """The same in standard deviations of a score."""
    return float(TTestIndPower().solve_power(nobs1=mine, ratio=theirs / mine, alpha=level, power=POWER))
