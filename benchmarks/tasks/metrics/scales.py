"""Scale of each metric's values: how much a point is, and the decimals that the paper prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The scale on which a metric's values are stored and printed."""

    unit: str = "points"
    """Unit of a difference, for texts."""
    top: float = 100.0
    """The value that counts as 100 points. A margin of 0.5 points is a difference of 0.005 * top."""
    decimals: int = 1
    """Number of decimals that the paper prints."""

    def of_points(self, points: float) -> float:
        """A difference in points, in the metric's own unit."""
        return points * self.top / 100

    def text(self, value: float) -> str:
        """A value with the paper's decimals."""
        return f"{value:.{self.decimals}f}"

    def signed(self, difference: float, more: int = 0) -> str:
        """A difference with its sign, and `more` decimals than the paper prints."""
        return f"{difference:+.{self.decimals + more}f}"


POINTS = Scale()
"""Scale of all metrics that are not in SCALES: percent, and correlations times 100."""
SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        # An edit rate, which is printed as a fraction: 0.44 is 44 points.
        "ter": Scale(unit="TER", top=1, decimals=2),
        # 10 times a cosine similarity, so at most 10.
        "cider": Scale(unit="CIDEr", top=10, decimals=2),
        # Unbounded. The paper prints 8.50 to 8.68: with 10 the margin is 0.6% of them, as 0.5 of BLEU's 67 to 68 is 0.7%.
        "nist": Scale(unit="NIST", top=10, decimals=2),
    }
)
"""Metric -> its scale, where it is not POINTS."""


def scale_of(metric: str) -> Scale:
    """The scale of a metric's values, also of those on a part of a split, such as "ter_unseen"."""
    return SCALES.get(metric.partition("_")[0], POINTS)
