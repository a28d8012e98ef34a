"""All claims of the paper, tested on what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from statsmodels.stats.multitest import multipletests

from benchmarks.analysis.claims.claim import Claim, Claims, ClaimTest, Standing, Untested
from benchmarks.analysis.claims.evidence import Evidence
from benchmarks.analysis.claims.kinds import KINDS
from benchmarks.core.registry import unknown_name
from benchmarks.store.comparability import incomparable
from benchmarks.store.published import published_table

LEVEL = 0.05
"""Of the family of all claims that can be tested, after Holm's correction."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One claim, and where it stands."""

    claim: Claim
    standing: Standing
    effect: str | None
    p: float | None
    """Two-sided, uncorrected."""
    corrected: float | None
    """The same after Holm's correction over the claims of this evidence that could be tested."""
    sentence: str
    """What follows, in words."""


@dataclass(frozen=True, kw_only=True)
class ExaminedClaims:
    """All claims on one backbone, preset and protocol."""

    title: str
    on_this_backbone: bool
    """The evidence is another backbone's or other data's than the paper's: it says nothing of the published numbers."""
    claims: Sequence[Examined]


def examine_claims(claims: Claims, evidence: Evidence) -> ExaminedClaims:
    """Test every claim, and correct for their number. Raises InputError: a claim's test is not known."""
    found = [_find(claim, evidence) for claim in claims.claim]
    p_values = [_two_sided(finding) for finding in found if isinstance(finding, ClaimTest)]
    corrected = iter(multipletests(p_values, alpha=LEVEL, method="holm")[1] if p_values else ())
    newest = max(evidence.results, key=lambda result: result.finished)
    foreign = bool(incomparable(evidence.results, published_table(1)))
    return ExaminedClaims(
        title=f"{newest.model_title}, preset {newest.preset}, protocol {newest.protocol}, "
        f"data {newest.data_source.split()[0]}",
        on_this_backbone=foreign,
        claims=[
            _untested(claim, finding)
            if isinstance(finding, Untested)
            else _tested(claim, finding, float(next(corrected)), foreign=foreign)
            for claim, finding in zip(claims.claim, found, strict=True)
        ],
    )


def _find(claim: Claim, evidence: Evidence) -> ClaimTest | Untested:
    if claim.kind not in KINDS:
        raise unknown_name(f"kind of claim {claim.name}", claim.kind, KINDS)
    return KINDS[claim.kind](claim.settings, evidence)


def _two_sided(finding: ClaimTest) -> float:
    return min(1.0, 2 * min(finding.p_for, finding.p_against))


def _tested(claim: Claim, finding: ClaimTest, corrected: float, *, foreign: bool) -> Examined:
    standing: Standing = "cannot be decided"
    if corrected < LEVEL:
        standing = "supported" if finding.p_for < finding.p_against else "contradicted"
    where = "On this backbone and data: " if foreign else ""
    return Examined(
        claim=claim,
        standing=standing,
        effect=finding.effect,
        p=_two_sided(finding),
        corrected=corrected,
        sentence=f"{where}{standing} at {LEVEL:.0%} by {finding.basis}; {finding.effect}.",
    )


def _untested(claim: Claim, finding: Untested) -> Examined:
    return Examined(
        claim=claim,
        standing="not tested",
        effect=None,
        p=None,
        corrected=None,
        sentence=f"Not tested: {finding.reason}.",
    )
