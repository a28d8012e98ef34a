"""What the check finds in a cell, and how often it raises a false alarm, by simulation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.analysis.difference import POWER
from benchmarks.analysis.regression.comparison import LEVEL
from benchmarks.analysis.regression.noise import Values, moderate
from benchmarks.analysis.stats import Summary

BANDWIDTH = 0.9
"""Bandwidth in standard deviations times the fifth root of the number of values: Silverman's (1986) rule of thumb."""
BATCH = 500
"""Number of checks that are simulated at a time, which bounds the memory."""

Draw = Callable[[np.random.Generator, int, int], Values]
"""(generator, checks, seeds) -> noise of scores about each cell's mean, in points, shape (checks, cells, seeds)."""


@dataclass(frozen=True, kw_only=True)
class Power:
    """What a simulated check of all cells together finds."""

    drops: Values
    """Smallest drop of one cell that is found in 80% (POWER) of checks, in points, shape (cells,)."""
    false_alarms: float
    """Share of checks without any change in which a cell moves."""

    def found(self, drop: float) -> int:
        """Number of cells in which a drop of so many points is found with POWER."""
        return int((self.drops <= drop).sum())


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Cells with a kind of noise, and the numbers of seeds with which they are checked."""

    title: str
    draw: Draw
    seeds: Sequence[tuple[int, int]] = ((5, 1), (5, 3))
    """Seeds of the reference, new seeds."""
    least: Values | float = 0.0
    """Lower bounds of the variances, in squared points, shape (cells,)."""

    def power(self, reference_seeds: int, new_seeds: int, checks: int) -> Power:
        """What a check of these cells finds, by so many simulated checks."""
        return simulate(
            self.draw, reference_seeds=reference_seeds, new_seeds=new_seeds, checks=checks, least=self.least
        )


def scenarios(reference: Sequence[Summary]) -> list[Scenario]:
    """Quiet cells, and those of a reference, by the number of seeds that all of them have; as many cells in all scenarios."""
    cells, seeds = len(reference), min(len(each.scores) for each in reference)
    scores = np.array([np.array(each.scores[:seeds]) / each.scale.of_points(1) for each in reference])
    least = np.array([each.resolution / each.scale.of_points(1) for each in reference]) ** 2
    sds = plausible_sds(cells)
    own = np.maximum(scores.std(axis=1, ddof=1), np.sqrt(least))
    return [
        Scenario(title="normal, sd 1.0 to 1.5 points", draw=normal_noise(np.linspace(1, 1.5, cells))),
        Scenario(
            title="normal, median sd 1.2, up to 3.0",
            draw=normal_noise(sds),
            seeds=((5, 1), (5, 3), (10, 1), (10, 3)),
        ),
        Scenario(title="the same sd, resampled scores", draw=observed_noise(scores / own[:, None] * sds[:, None])),
        Scenario(title="the reference's scores, resampled", draw=observed_noise(scores), least=least),
    ]


def plausible_sds(cells: int, *, median: float = 1.2, most: float = 3.0) -> Values:
    """Standard deviations of quiet cells, in points: the evenly spaced quantiles of a log-normal that ends at `most`."""
    quantiles = stats.norm.ppf((np.arange(cells) + 0.5) / cells)
    sds: Values = median * (most / median) ** (quantiles / quantiles[-1])
    return sds


def normal_noise(sds: Values) -> Draw:
    """Normal noise with these standard deviations, shape (cells,)."""
    return lambda rng, checks, seeds: rng.normal(size=(checks, len(sds), seeds)) * sds[:, None]


def observed_noise(scores: Values) -> Draw:
    """Noise resampled from each cell's own scores about their mean, in points, shape (cells, seeds).

    A bootstrap of five values is distorted in two ways, which are corrected (Silverman and Young, 1987). Its variance is
    4/5 of theirs: it is scaled up. It repeats values, so that samples are equal which scores never are: each value gets
    normal noise of Silverman's bandwidth, and the sum is scaled back. Tails beyond the observed ones are those of this noise.
    """
    centred = scores - scores.mean(axis=1, keepdims=True)
    cells, seeds_observed = centred.shape
    sds = centred.std(axis=1, ddof=1)[:, None]
    centred *= np.sqrt(seeds_observed / (seeds_observed - 1))
    bandwidth = BANDWIDTH * seeds_observed**-0.2

    def draw(rng: np.random.Generator, checks: int, seeds: int) -> Values:
        chosen = rng.integers(seeds_observed, size=(checks, cells, seeds))
        values = centred[np.arange(cells)[:, None], chosen]
        smooth: Values = (values + bandwidth * sds * rng.normal(size=values.shape)) / np.sqrt(1 + bandwidth**2)
        return smooth

    return draw


def simulate(
    draw: Draw, *, reference_seeds: int, new_seeds: int, checks: int, least: Values | float = 0.0, seed: int = 0
) -> Power:
    """Simulate checks of new seeds against a reference, by the test of `comparison.check`.

    Args:
        draw: the noise of the scores.
        reference_seeds: seeds of each cell of the reference, at least 2.
        new_seeds: new seeds of each cell.
        checks: number of simulated checks; reference and new scores are drawn anew for each.
        least: lower bounds of the variances, in squared points, shape (cells,).
        seed: seed of the generator.
    """
    rng = np.random.default_rng(seed)
    needed, alarms = [], 0
    for start in range(0, checks, BATCH):
        size = min(BATCH, checks - start)
        reference, new = draw(rng, size, reference_seeds), draw(rng, size, new_seeds)
        cells = reference.shape[1]
        freedom = np.full(cells, reference_seeds - 1.0)
        variances, degrees = moderate(reference.var(axis=-1, ddof=1), freedom, least=least)
        error = np.sqrt(variances * (1 / reference_seeds + 1 / new_seeds))
        critical = error * stats.t.isf(LEVEL / cells / 2, degrees)  # Holm's level of the first of `cells` tests
        difference = new.mean(axis=-1) - reference.mean(axis=-1)
        alarms += int((abs(difference) > critical).any(axis=-1).sum())
        needed.append(critical + difference)  # a drop is found where the difference less the drop is below -critical
    return Power(drops=np.quantile(np.concatenate(needed), POWER, axis=0), false_alarms=alarms / checks)
