"""A claim of the paper as a statement that can be tested, and what a test finds."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.analysis.difference import Difference
from benchmarks.analysis.verdicts import Margin
from benchmarks.core.nested import build
from benchmarks.store.published import PAPER

Standing = Literal["supported", "contradicted", "cannot be decided", "not tested"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One of `results/paper/claims.toml`."""

    name: str
    source: str
    """Section, table or figure of the paper."""
    says: str
    kind: str
    """Name of the test."""
    settings: Mapping[str, Any]
    """Of the test."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """All of them, and when a difference counts."""

    margin: Margin
    claim: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class ClaimTest:
    """What a test finds."""

    effect: str
    """With its unit and its interval, in words."""
    p_for: float
    """One-sided p value against "the claim does not hold"."""
    p_against: float
    """One-sided p value against "the claim holds"."""
    basis: str
    """What was compared: tasks, seeds."""


@dataclass(frozen=True, kw_only=True)
class Untested:
    """Why a claim cannot be tested with what is at hand."""

    reason: str


def read_claims() -> Claims:
    """Read the claims. Raises InputError: one is not as it must be."""
    plain = tomllib.loads((PAPER / "claims.toml").read_text(encoding="utf-8"))
    return build(Claims, plain, "claims")


def in_points(difference: Difference, unit: str = "points") -> str:
    """A difference with its 95% interval, in words."""
    low, high = difference.interval(0.95)
    return f"{difference.value:+.2f} {unit} [{low:+.2f}, {high:+.2f}]"
