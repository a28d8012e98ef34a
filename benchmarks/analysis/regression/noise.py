"""Noise of each cell's scores over seeds, moderated by that of all cells: limma's empirical Bayes, robust to outliers.

A variance from few seeds is uncertain. Smyth (2004, doi:10.2202/1544-6115.1027) takes the variances of all cells as draws
from one scaled inverse chi-squared distribution with d0 degrees of freedom and scale s0^2, the prior: a sample variance
s^2 with d degrees of freedom then follows s0^2 F(d, d0), and the posterior variance (d0 s0^2 + d s^2) / (d0 + d) gives a
t test with d0 + d degrees of freedom. Phipson et al. (2016, doi:10.1214/16-AOAS920) make the prior robust to outliers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import mean, variance

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from benchmarks.analysis.difference import Difference
from benchmarks.analysis.stats import Summary

Values = NDArray[np.float64]
TAILS = (0.05, 0.1)
"""Shares of the smallest and of the largest variances that are winsorised, as by limma's `fitFDistRobustly`."""
CONFIDENCE = 0.6
"""One-sided confidence of the lower bound of d0 that is used in place of its estimate, which may be far too large."""
_PRIORS = np.geomspace(0.3, 1e4, 200)
"""The values of d0 that are considered."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Distribution of the variances of all cells; arrays of one shape, one value per set of cells."""

    variance: Values
    """Smyth's s0^2."""
    degrees_of_freedom: Values
    """Smyth's d0; 0 where there is a single cell."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Standard deviation of a cell's score over seeds."""

    sd: float
    """On the scale of the scores."""
    degrees_of_freedom: float

    def difference(self, first: Sequence[float], second: Sequence[float]) -> Difference:
        """The first mean less the second, both of scores with this noise."""
        return Difference(
            value=mean(first) - mean(second),
            error=self.sd * math.sqrt(1 / len(first) + 1 / len(second)),
            degrees_of_freedom=self.degrees_of_freedom,
        )


def noise_of_cells(summaries: Mapping[tuple[str, str], Summary]) -> dict[tuple[str, str], Noise]:
    """(task, method) -> moderated noise; cells with fewer than two seeds are left out.

    Variances are compared in points, whatever the metric. None is taken as smaller than the squared weight of one example.
    """
    cells = {pair: summary for pair, summary in summaries.items() if len(summary.scores) > 1}
    if not cells:
        return {}
    units = np.array([summary.scale.of_points(1) for summary in cells.values()])
    least = (np.array([summary.resolution for summary in cells.values()]) / units) ** 2
    freedom = np.array([len(summary.scores) - 1.0 for summary in cells.values()])
    variances = np.array([variance(summary.scores) for summary in cells.values()]) / units**2
    moderated, degrees = moderate(variances, freedom, least=least)
    sds = units * np.sqrt(moderated)
    return {
        pair: Noise(sd=float(sd), degrees_of_freedom=float(each))
        for pair, sd, each in zip(cells, sds, degrees, strict=True)
    }


def moderate(variances: Values, freedom: Values, *, least: Values | float = 0.0) -> tuple[Values, Values]:
    """Posterior variances and their degrees of freedom, both of shape (..., cells).

    Args:
        variances: sample variances, shape (..., cells): any number of sets of cells, each moderated by itself.
        freedom: their degrees of freedom, at least 1, shape (cells,).
        least: lower bounds of the variances, shape (cells,).
    """
    bounded = np.maximum(variances, least)
    prior = fit_prior(bounded, freedom)
    found, degrees = posterior(bounded, freedom, prior)
    return np.maximum(found, least), degrees


def fit_prior(
    variances: Values, freedom: Values, *, tails: tuple[float, float] = TAILS, confidence: float = CONFIDENCE
) -> Prior:
    """Fit d0 and s0^2 by the winsorised mean and variance of log s^2.

    Without tails, and with a confidence of 0.5, it is Smyth's estimator (2004, section 6.2) but for the median of a
    chi-squared distribution in place of its mean. As in limma, d0 is at most the degrees of freedom of all cells together.

    Args:
        variances: positive, shape (..., cells).
        freedom: degrees of freedom of the variances, shape (cells,).
        tails: shares that are winsorised at the lower and the upper end.
        confidence: one-sided confidence of the lower bound of d0.
    """
    cells = variances.shape[-1]
    if cells == 1:
        return Prior(variance=variances[..., 0], degrees_of_freedom=np.zeros(variances.shape[:-1]))
    logs = np.log(variances) - _expected_log(freedom)
    ends = np.quantile(logs, (tails[0], 1 - tails[1]), axis=-1, keepdims=True)
    logs = np.clip(logs, *ends)
    # The spread of variances is a variance of `cells` numbers: this is the upper bound of its confidence interval.
    spread = logs.var(axis=-1, ddof=1) * (cells - 1) / stats.chi2.ppf(1 - confidence, cells - 1)
    means, spreads = _winsorised_moments(tuple(sorted(freedom.tolist())), tails)
    found = np.exp(np.interp(spread, spreads[::-1], np.log(_PRIORS)[::-1]))  # the spread falls with d0
    shift = np.interp(np.log(found), np.log(_PRIORS), means)
    return Prior(variance=np.exp(logs.mean(axis=-1) - shift), degrees_of_freedom=np.minimum(found, freedom.sum()))


def posterior(variances: Values, freedom: Values, prior: Prior) -> tuple[Values, Values]:
    """Posterior variances and their degrees of freedom: an outlier keeps its own variance (Phipson et al.)."""
    scale = np.asarray(prior.variance)[..., None]
    weight = np.asarray(prior.degrees_of_freedom)[..., None]
    if variances.shape[-1] > 1:
        weight = weight * _regular(special.fdtrc(freedom, weight, variances / scale))
    total = weight + freedom
    return (weight * scale + freedom * variances) / total, total


def _regular(p: Values) -> Values:
    """Probability of each cell to be no outlier, from the upper-tail p values of variances, shape (..., cells).

    It is p over what the rank of p lets expect, at most 1, and does not fall with p.
    """
    order = p.argsort(axis=-1)
    ranks = order.argsort(axis=-1)
    ratio = np.minimum(p / ((ranks + 0.5) / p.shape[-1]), 1.0)
    ordered = np.maximum.accumulate(np.take_along_axis(ratio, order, axis=-1), axis=-1)
    return np.take_along_axis(ordered, ranks, axis=-1)


def _expected_log(freedom: Values) -> Values:
    """Expectation of log(chi2(d) / d)."""
    expected: Values = special.digamma(freedom / 2) - np.log(freedom / 2)
    return expected


@cache
def _winsorised_moments(freedom: tuple[float, ...], tails: tuple[float, float]) -> Values:
    """Mean and variance of winsorised log F(d, d0) less `_expected_log(d)`, shape (2, values of d0).

    The cells' numbers of degrees of freedom are mixed in equal parts. Integrated over normal scores (trapezoidal rule).
    """
    distinct, counts = np.unique(freedom, return_counts=True)
    scores = np.linspace(-6, 6, 481)
    weights = np.outer(counts, stats.norm.pdf(scores)).ravel()
    weights /= weights.sum()
    moments = []
    for prior in _PRIORS:
        quantiles = special.fdtri(distinct[:, None], prior, stats.norm.cdf(scores))
        logs = (np.log(quantiles) - _expected_log(distinct)[:, None]).ravel()
        order = logs.argsort()
        shares = weights[order].cumsum() - weights[order] / 2
        logs = np.clip(logs, *np.interp((tails[0], 1 - tails[1]), shares, logs[order]))
        mean_log = logs @ weights
        moments.append((mean_log, (logs - mean_log) ** 2 @ weights))
    return np.array(moments).T
