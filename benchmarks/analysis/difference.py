"""Estimated differences of scores, and what a few seeds and a few examples can say of them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An estimate of a difference, in points, whose error follows Student's t."""

    value: float
    error: float
    """Standard error of the value."""
    degrees_of_freedom: float
    """Degrees of freedom of the error."""

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided confidence interval at a level in (0, 1)."""
        half = self.half_width(level)
        return self.value - half, self.value + half

    def half_width(self, level: float) -> float:
        """Half of that interval's width."""
        return float(stats.t.ppf((1 + level) / 2, self.degrees_of_freedom)) * self.error

    def p_above(self, bound: float) -> float:
        """One-sided p value against "the true difference is at most bound"."""
        if self.error == 0:
            return 0.0 if self.value > bound else 1.0
        return float(stats.t.sf((self.value - bound) / self.error, self.degrees_of_freedom))

    def p_below(self, bound: float) -> float:
        """One-sided p value against "the true difference is at least bound"."""
        return self.negated().p_above(-bound)

    def p_nonzero(self) -> float:
        """Two-sided p value against "there is no difference"."""
        return min(1.0, 2 * min(self.p_above(0), self.p_below(0)))

    def negated(self) -> "Difference":
        """The same, seen from the other side."""
        return Difference(value=-self.value, error=self.error, degrees_of_freedom=self.degrees_of_freedom)

    def with_examples(self, variance: float) -> "Difference":
        """The same where the examples are random too, not only the seeds.

        Args:
            variance: of the value over draws of examples, in points squared (`resampling.example_variance`).

        The two variances add up; their degrees of freedom follow Satterthwaite, the examples' being many.
        """
        total = self.error**2 + variance
        freedom = self.degrees_of_freedom * (total / self.error**2) ** 2 if self.error else math.inf
        return Difference(value=self.value, error=math.sqrt(total), degrees_of_freedom=freedom)


def against_published(
    scores: Sequence[float], published: float, published_seeds: int, *, least_sd: float = 0.0
) -> Difference | None:
    """Measured less published, where the published number is the mean of so many runs as noisy as ours.

    Args:
        scores: one per seed.
        published: the number printed.
        published_seeds: runs that it is taken for the mean of.
        least_sd: what the noise is at least, in points: a handful of equal scores does not show that there is none.

    Returns:
        None for fewer than two scores: the noise is not known.
    """
    if len(scores) < 2:
        return None
    return Difference(
        value=statistics.mean(scores) - published,
        error=max(statistics.stdev(scores), least_sd) * math.sqrt(1 / len(scores) + 1 / published_seeds),
        degrees_of_freedom=len(scores) - 1,
    )


def paired(first: Sequence[float], second: Sequence[float], *, least_sd: float = 0.0) -> Difference | None:
    """The first less the second, seed by seed; None for fewer than two pairs.

    Args:
        first: one number per seed.
        second: likewise.
        least_sd: what the noise of their difference is at least, as in `against_published`.

    Raises:
        ValueError: there are more of one than of the other.
    """
    differences = [one - other for one, other in zip(first, second, strict=True)]
    if len(differences) < 2:
        return None
    return Difference(
        value=statistics.mean(differences),
        error=max(statistics.stdev(differences), least_sd) / math.sqrt(len(differences)),
        degrees_of_freedom=len(differences) - 1,
    )


def unpaired(first: Sequence[float], second: Sequence[float], *, least_sd: float = 0.0) -> Difference | None:
    """The first's mean less the second's, both as noisy; None where no side has two.

    Args:
        first: one score per seed.
        second: likewise.
        least_sd: as in `against_published`.
    """
    freedom = len(first) + len(second) - 2
    if not first or not second or freedom < 1:
        return None
    squares = sum((value - statistics.mean(group)) ** 2 for group in (first, second) for value in group)
    sd = max(math.sqrt(squares / freedom), least_sd)
    return Difference(
        value=statistics.mean(first) - statistics.mean(second),
        error=sd * math.sqrt(1 / len(first) + 1 / len(second)),
        degrees_of_freedom=freedom,
    )
