"""A claim of the paper as a testable statement, and the result of its test."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import Difference, paired
from benchmarks.analysis.verdicts import Margin
from benchmarks.core.nested import build
from benchmarks.store.published import PAPER, PublishedTable

Standing = Literal["supported", "contradicted", "cannot be decided", "not tested"]
NEVER = 1.0
"""P value where a test cannot show what is asked, whatever the data."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of `results/paper/claims.toml`."""

    name: str
    source: str
    """Section, table or figure of the paper."""
    says: str
    """The claim as a sentence."""
    kind: str
    """Name of the test, a key of `kinds.KINDS`."""
    settings: Mapping[str, Any]
    """Settings of the test."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """All claims, and the margin of differences that do not matter."""

    margin: Margin
    claim: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class ClaimTest:
    """The result of the test of a claim."""

    effect: str
    """The estimated effect with its unit and interval, as text."""
    p_for: float
    """One-sided p value against "the claim does not hold"."""
    p_against: float
    """One-sided p value against "the claim holds"."""
    basis: str
    """The data of the test as text: tasks, seeds."""
    cells: Cells | None = None
    """The cells that it rests on; None for costs and speed."""
    difference: Difference | None = None
    """The tested difference; None where counts or ranks are tested."""
    unit: str = ""
    """Of the difference."""


@dataclass(frozen=True, kw_only=True)
class Untested:
    """Why a claim cannot be tested with the available results."""

    reason: str


def read_claims() -> Claims:
    """Read `results/paper/claims.toml`. Raises InputError: the file is malformed."""
    plain = tomllib.loads((PAPER / "claims.toml").read_text(encoding="utf-8"))
    return build(Claims, plain, "claims")


def with_interval(difference: Difference, unit: str, decimals: int = 2) -> str:
    """A difference with its 95% interval, as text."""
    value, low, high = (f"{number:+.{decimals}f}" for number in (difference.value, *difference.interval(0.95)))
    return f"{value} {unit} [{low}, {high}]"


def against_constant(numbers: Sequence[float], constant: float) -> Difference | None:
    """The mean of numbers, one per seed or round, less a constant.

    Returns:
        None for fewer than two numbers, and for equal ones: they show no noise, so that every p value would be 0 or 1.
    """
    return paired(numbers, [constant] * len(numbers)) if len(set(numbers)) > 1 else None


def p_values_within(difference: Difference, bound: float) -> dict[str, float]:
    """`p_for` and `p_against` of the claim that the absolute difference is at most `bound` (two one-sided tests)."""
    return {
        "p_for": max(difference.p_above(-bound), difference.p_below(bound)),
        "p_against": min(1.0, 2 * min(difference.p_above(bound), difference.p_below(-bound))),
    }


def column_titles(columns: Sequence[str], table: PublishedTable) -> str:
    """Titles of columns of a table, separated by commas."""
    return ", ".join(table.columns[column] for column in columns)
