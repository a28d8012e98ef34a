"""Tests all claims of the paper on results, with a correction for their number."""

from collections.abc import Sequence
from dataclasses import dataclass

from statsmodels.stats.multitest import multipletests

from benchmarks.analysis.claims.claim import Claim, Claims, ClaimTest, Standing, Untested
from benchmarks.analysis.claims.evidence import Evidence
from benchmarks.analysis.claims.kinds import KINDS
from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import POWER
from benchmarks.core.registry import unknown_name
from benchmarks.store.comparability import incomparable
from benchmarks.store.published import published_table

LEVEL = 0.05
"""Family-wise level over all claims that can be tested, after Holm's correction."""


@dataclass(frozen=True, kw_only=True)
class ExaminedClaim:
    """One claim with the outcome of its test."""

    claim: Claim
    standing: Standing
    effect: str | None
    p: float | None
    """Two-sided p value, uncorrected."""
    corrected: float | None
    """The p value after Holm's correction over the claims that could be tested on these results."""
    cells: Cells | None
    """The cells that the test rests on; None for costs and speed, and for claims that were not tested."""
    sentence: str
    """The outcome as a sentence."""


@dataclass(frozen=True, kw_only=True)
class ExaminedClaims:
    """All claims with their outcomes on one backbone, preset and protocol."""

    title: str
    on_this_backbone: bool
    """Whether backbone or data differ from the paper's, so that the outcomes hold for this backbone and data only."""
    claims: Sequence[ExaminedClaim]


def examine_claims(claims: Claims, evidence: Evidence) -> ExaminedClaims:
    """Test every claim, and correct the p values for their number. Raises InputError: a claim's kind is unknown."""
    tests = [_run_test(claim, evidence) for claim in claims.claim]
    p_values = [_two_sided(test) for test in tests if isinstance(test, ClaimTest)]
    corrected = iter(multipletests(p_values, alpha=LEVEL, method="holm")[1] if p_values else ())
    newest = max(evidence.results, key=lambda result: result.finished)
    differs_from_paper = bool(incomparable(evidence.results, published_table(1)))
    return ExaminedClaims(
        title=f"{newest.model_title}, preset {newest.preset}, protocol {newest.protocol}, "
        f"data {newest.data_source.split()[0]}",
        on_this_backbone=differs_from_paper,
        claims=[
            _untested(claim, test)
            if isinstance(test, Untested)
            else _tested(claim, test, float(next(corrected)), len(p_values), on_this_backbone=differs_from_paper)
            for claim, test in zip(claims.claim, tests, strict=True)
        ],
    )


def _run_test(claim: Claim, evidence: Evidence) -> ClaimTest | Untested:
    if claim.kind not in KINDS:
        raise unknown_name(f"kind of claim {claim.name}", claim.kind, KINDS)
    return KINDS[claim.kind](claim.settings, evidence)


def _two_sided(test: ClaimTest) -> float:
    return min(1.0, 2 * min(test.p_for, test.p_against))


def _tested(claim: Claim, test: ClaimTest, corrected: float, number: int, *, on_this_backbone: bool) -> ExaminedClaim:
    """The outcome of one of a number of tests."""
    standing: Standing = "cannot be decided"
    if corrected < LEVEL:
        standing = "supported" if test.p_for < test.p_against else "contradicted"
    basis = test.cells.after(test.basis) if test.cells else test.basis
    detectable = ""
    if standing == "cannot be decided" and test.difference:
        smallest = test.difference.detectable(LEVEL / number)
        detectable = f"; a difference of {smallest:.2f} {test.unit} would be found with {POWER:.0%} power"
    where = "On this backbone and data: " if on_this_backbone else ""
    return ExaminedClaim(
        claim=claim,
        standing=standing,
        effect=test.effect,
        p=_two_sided(test),
        corrected=corrected,
        cells=test.cells,
        sentence=f"{where}{standing} at {LEVEL:.0%} by {basis}; {test.effect}{detectable}.",
    )


def _untested(claim: Claim, test: Untested) -> ExaminedClaim:
    return ExaminedClaim(
        claim=claim,
        standing="not tested",
        effect=None,
        p=None,
        corrected=None,
        cells=None,
        sentence=f"Not tested: {test.reason}.",
    )
