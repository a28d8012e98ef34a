"""Differences of scores with their standard errors, p values and confidence intervals over seeds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from scipy import stats

POWER = 0.8
"""Power at which detectable differences are stated."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An estimate of a difference, on the scale of the scores, whose error follows Student's t."""

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
        """Half the width of the two-sided confidence interval."""
        return _quantile((1 + level) / 2, self.degrees_of_freedom) * self.error

    def detectable(self, level: float) -> float:
        """Smallest true difference that a two-sided test at this level detects with POWER, given the error.

        The estimate less the true difference, over the error, follows Student's t; the other tail adds less than `level`
        to the power.
        """
        return (
            _quantile(1 - level / 2, self.degrees_of_freedom) + _quantile(POWER, self.degrees_of_freedom)
        ) * self.error

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
        """The difference with its sign reversed."""
        return Difference(value=-self.value, error=self.error, degrees_of_freedom=self.degrees_of_freedom)

    def with_examples(self, variance: float) -> "Difference":
        """The same difference with the variance over examples added, for an evaluation set that is random too.

        The variances add up. The degrees of freedom follow Satterthwaite; those of the examples are taken as infinite.

        Args:
            variance: variance of the value over draws of examples (`resampling.example_variance`).
        """
        total = self.error**2 + variance
        degrees_of_freedom = self.degrees_of_freedom * (total / self.error**2) ** 2 if self.error else math.inf
        return Difference(value=self.value, error=math.sqrt(total), degrees_of_freedom=degrees_of_freedom)


@cache
def _quantile(share: float, degrees_of_freedom: float) -> float:
    """Quantile of Student's t; cached, since many differences have the same degrees of freedom."""
    return float(stats.t.ppf(share, degrees_of_freedom))


def against_published(
    scores: Sequence[float], published: float, published_seeds: int, *, least_sd: float = 0.0
) -> Difference | None:
    """Measured less published, where the published runs are assumed to vary as much as the measured ones.

    Args:
        scores: measured scores, one per seed.
        published: the published mean.
        published_seeds: assumed number of runs that the published number is the mean of.
        least_sd: lower bound of the standard deviation: a few equal scores do not show that it is 0.

    Returns:
        None for fewer than two scores: the noise is unknown.
    """
    if len(scores) < 2:
        return None
    return Difference(
        value=statistics.mean(scores) - published,
        error=max(statistics.stdev(scores), least_sd) * math.sqrt(1 / len(scores) + 1 / published_seeds),
        degrees_of_freedom=len(scores) - 1,
    )


def paired(first: Sequence[float], second: Sequence[float], *, least_sd: float = 0.0) -> Difference | None:
    """The first less the second, paired by seed; None for fewer than two pairs.

    Args:
        first: one number per seed.
        second: one number per seed, in the same order.
        least_sd: lower bound of the standard deviation of the differences, as in `against_published`.

    Raises:
        ValueError: the lengths differ.
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
    """The first mean less the second, with a pooled variance; None where a side is empty or both have one score.

    Args:
        first: one score per seed.
        second: one score per seed; the seeds need not be the same.
        least_sd: lower bound of the standard deviation, as in `against_published`.
    """
    degrees_of_freedom = len(first) + len(second) - 2
    if not first or not second or degrees_of_freedom < 1:
        return None
    squares = sum((value - statistics.mean(group)) ** 2 for group in (first, second) for value in group)
    sd = max(math.sqrt(squares / degrees_of_freedom), least_sd)
    return Difference(
        value=statistics.mean(first) - statistics.mean(second),
        error=sd * math.sqrt(1 / len(first) + 1 / len(second)),
        degrees_of_freedom=degrees_of_freedom,
    )
