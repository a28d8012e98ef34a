"""Compares new results with the reference, cell by cell: moved, as before, same bits, or not comparable."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Literal

from statsmodels.stats.multitest import multipletests

from benchmarks.analysis.difference import Difference
from benchmarks.analysis.regression.invariants import violations
from benchmarks.analysis.regression.noise import Noise, noise_of_cells
from benchmarks.analysis.regression.records import capability, code_changes, refusals, stack_changes
from benchmarks.analysis.stats import Summary, summarise
from benchmarks.store.result import Result
from benchmarks.tasks.metrics.scales import POINTS, Scale

LEVEL = 0.005
"""Family-wise level over all cells of a check (Holm's correction). In simulated checks at most 1% have a false alarm, also
where the scores are not normal (`judge power`): the prior of their noise is an estimate."""

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
    """Smallest difference that the test detects with 80% power (POWER), given the reference's scores."""
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
        references: results of `results/reference/PRESET`. The noise of a cell is moderated by that of all of them
            which have the preset, protocol and backbone of a candidate, also outside of the scope.
        scope: (task, method) of every cell to compare.
    """
    candidates, done = list(candidates), [each for each in references if each.status == "done"]
    summaries, compared, checks = summarise(candidates), {}, {}
    for pair in scope:
        new = summaries.get(pair)
        failed = [each for each in candidates if (each.task, each.method, each.status) == (*pair, "failed")]
        old = [each for each in done if (each.task, each.method) == pair]
        comparable = [each for each in old if new and not refusals(new.results[0], each)]
        if new and comparable:
            compared[pair] = _nearest(new.results[0], comparable)
        checks[pair] = _check(pair, new, failed, old, compared.get(pair))
    settings = {_setting(each) for each in candidates}
    others = summarise(each for each in done if _setting(each) in settings)
    noise = noise_of_cells({**others, **compared})
    return _corrected(
        [_by_scores(cell, noise.get(pair)) if cell.outcome == "as before" else cell for pair, cell in checks.items()]
    )


def exit_status(checks: Sequence[CellCheck]) -> int:
    """0: all as before; 1: a cell moved; 2: no cell moved, but a cell could not be compared or there were none."""
    outcomes = {each.outcome for each in checks}
    return 1 if "moved" in outcomes else 2 if "not comparable" in outcomes or not checks else 0


def _setting(result: Result) -> tuple[str, str, str]:
    """What cells have in common whose scores are about equally noisy."""
    return result.preset, result.protocol, result.model_title


def _check(
    pair: tuple[str, str],
    candidate: Summary | None,
    failed: Sequence[Result],
    references: Sequence[Result],
    comparable: Summary | None,
) -> CellCheck:
    """The outcome of one cell; "as before" where the scores are to be tested."""
    known = [*(candidate.results if candidate else ()), *failed, *references]
    task_title, method_title = (known[0].task_title, known[0].method_title) if known else pair
    cell = CellCheck(task_title=task_title, method_title=method_title, outcome="not comparable")
    if failed:
        return cell.moved(*(f"seed {result.seed} failed: {result.reason}" for result in failed))
    if not candidate:
        return replace(cell, reasons=("it was not run",))
    if broken := dict.fromkeys(clause for result in candidate.results for clause in violations(result)):
        return cell.moved(*broken)
    first = candidate.results[0]
    if not comparable:
        newest = max(references, key=lambda result: result.finished, default=None)
        return replace(cell, reasons=tuple(refusals(first, newest)) if newest else ("there is no reference",))
    return _compared(candidate, comparable, replace(cell, scale=first.scale))


def _compared(candidate: Summary, reference: Summary, cell: CellCheck) -> CellCheck:
    """The outcome by bits; "as before" where the scores are to be tested."""
    environments = [side.results[0].environment for side in (candidate, reference)]
    cell = replace(
        cell,
        outcome="as before",
        reference=reference.scores,
        reference_collapsed=reference.collapsed,
        candidate=candidate.scores,
        candidate_collapsed=candidate.collapsed,
        stack=tuple(stack_changes(*environments)),
        code=_code(candidate, reference),
    )
    if by_bits := _by_bits(candidate, reference, cell):
        return by_bits
    here, there = map(capability, environments)
    if here and there and here != there:
        return replace(cell, outcome="not comparable", reasons=(f"there is no reference for {here}, only for {there}",))
    return cell


def _nearest(candidate: Result, references: Sequence[Result]) -> Summary:
    """The references of the candidate's environment, else of its processor's capability, else of the newest environment."""
    same_stack = [each for each in references if not stack_changes(candidate.environment, each.environment)]
    here = capability(candidate.environment)
    alike = [each for each in references if capability(each.environment) in (here, None)]
    (summary,) = summarise(same_stack or alike or references).values()
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


def _by_scores(cell: CellCheck, noise: Noise | None) -> CellCheck:
    """The cell with its difference and its p value, not yet corrected for the number of cells."""
    if noise is None:
        reason = "one seed in the reference, of at least two, and other bits: the noise is not known"
        return replace(cell, outcome="not comparable", reasons=(reason,))
    difference = noise.difference(cell.candidate, cell.reference)
    return replace(cell, difference=difference, p=difference.p_nonzero())


def _corrected(checks: Sequence[CellCheck]) -> list[CellCheck]:
    """Apply Holm's correction over the tested cells, and add the detectable difference of each."""
    tested = [each.p for each in checks if each.p is not None]
    corrected = iter(multipletests(tested, alpha=LEVEL, method="holm")[1] if tested else ())
    return [each if each.p is None else _judged(each, float(next(corrected)), len(tested)) for each in checks]


def _judged(cell: CellCheck, p: float, tested: int) -> CellCheck:
    """The outcome from a corrected p value; `tested` is the number of tested cells."""
    difference = cell.difference
    assert difference
    cell = replace(cell, p=p, detectable_difference=difference.detectable(LEVEL / tested))
    if p >= LEVEL:
        return cell
    now, before = (cell.scale.text(mean(scores)) for scores in (cell.candidate, cell.reference))
    direction, size = "drop" if difference.value < 0 else "rise", cell.scale.text(abs(difference.value))
    return cell.moved(f"{now} instead of {before} (p {p:.1g}), a {direction} by {size} {cell.scale.unit}")
