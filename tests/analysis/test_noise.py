"""The moderated variance of scores, against limma's formulas and by simulation."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from benchmarks.analysis.regression.noise import (
    CONFIDENCE,
    Prior,
    Values,
    fit_prior,
    moderate,
    noise_of_cells,
    posterior,
)
from benchmarks.analysis.stats import summarise
from tests.support.fakes import make_result

FOUR = 4.0
"""Degrees of freedom of a variance from five seeds."""


def drawn(prior: float, cells: int, sets: int, *, variance: float = 2.0) -> Values:
    """Sample variances from five seeds, of cells whose variances follow the prior; shape (sets, cells)."""
    rng = np.random.default_rng(0)
    true = variance * prior / rng.chisquare(prior, (sets, cells))
    return true * rng.chisquare(FOUR, (sets, cells)) / FOUR


def test_without_tails_the_prior_is_smyths_closed_form() -> None:
    """Smyth 2004, section 6.2: the variance of e_g less trigamma(d/2) is trigamma(d0/2); s0^2 follows from the mean."""
    cells = 6
    variances, freedom = np.array([0.3, 0.7, 1.1, 1.6, 2.9, 8.0]), np.full(cells, FOUR)
    logs = [math.log(each) - special.digamma(2) + math.log(2) for each in variances]
    excess = float(np.var(logs, ddof=1)) - float(special.polygamma(1, 2))
    half = optimize.brentq(lambda half: float(special.polygamma(1, half)) - excess, 0.2, 100)
    found = fit_prior(variances, freedom, tails=(0, 0), confidence=float(stats.chi2.sf(cells - 1, cells - 1)))
    assert found.degrees_of_freedom == pytest.approx(2 * half, rel=1e-3)
    assert found.variance == pytest.approx(
        math.exp(float(np.mean(logs)) + special.digamma(half) - math.log(half)), rel=1e-3
    )


def test_the_posterior_is_the_weighted_mean_of_a_variance_and_the_prior() -> None:
    """By hand: (6 * 2 + 4 * 1) / (6 + 4) = 1.6 and (6 * 2 + 4 * 2.5) / 10 = 2.2; 500 stays."""
    prior = Prior(variance=np.array(2.0), degrees_of_freedom=np.array(6.0))
    variances, freedom = posterior(np.array([0.5, 1.0, 2.5, 500.0]), np.full(4, FOUR), prior)
    assert variances[1:3] == pytest.approx([1.6, 2.2])
    assert freedom[1:3] == pytest.approx([10, 10])
    assert variances[3] == pytest.approx(500, rel=0.01)
    assert freedom[3] == pytest.approx(4, abs=0.01)


def test_one_cell_is_judged_by_its_own_variance() -> None:
    variances, freedom = moderate(np.array([3.0]), np.array([FOUR]))
    assert (variances, freedom) == (3.0, 4.0)


@pytest.mark.parametrize("prior", [3.0, 8.0])
def test_the_prior_is_recovered_and_its_lower_bound_lies_below_it_more_often(prior: float) -> None:
    variances = drawn(prior, cells=100, sets=1000)
    estimate = fit_prior(variances, np.full(100, FOUR), confidence=0.5)
    assert np.median(estimate.degrees_of_freedom) == pytest.approx(prior, rel=0.1)
    assert np.median(estimate.variance) == pytest.approx(2, rel=0.03)
    bound = fit_prior(variances, np.full(100, FOUR))
    assert (bound.degrees_of_freedom < prior).mean() == pytest.approx(CONFIDENCE, abs=0.06)


def test_seeds_may_differ_in_number_between_cells() -> None:
    rng = np.random.default_rng(0)
    freedom = np.repeat([2.0, 4.0, 9.0], 33)
    variances = 2 * 8 / rng.chisquare(8, (500, 99)) * rng.chisquare(freedom, (500, 99)) / freedom
    estimate = fit_prior(variances, freedom, confidence=0.5)
    assert np.median(estimate.degrees_of_freedom) == pytest.approx(8, rel=0.15)
    assert np.median(estimate.variance) == pytest.approx(2, rel=0.05)


def test_two_unstable_cells_of_40_spoil_neither_the_prior_nor_their_own_variance() -> None:
    variances = drawn(8.0, cells=40, sets=500)
    spoilt = variances.copy()
    spoilt[:, :2] *= 150
    priors = [fit_prior(each, np.full(40, FOUR), confidence=0.5).degrees_of_freedom for each in (variances, spoilt)]
    assert np.median(priors[1]) > 0.6 * np.median(priors[0])
    plain = fit_prior(spoilt, np.full(40, FOUR), tails=(0, 0), confidence=0.5).degrees_of_freedom
    assert np.median(plain) < 0.4 * np.median(priors[0])
    found, _ = moderate(spoilt, np.full(40, FOUR))
    assert np.median(found[:, :2] / spoilt[:, :2]) > 0.8


def test_the_moderated_t_has_its_level_where_variances_follow_the_prior() -> None:
    """With the prior known, the t test with d0 + d degrees of freedom is exact (Smyth 2004, section 4)."""
    rng = np.random.default_rng(1)
    true = 2 * 6 / rng.chisquare(6, (1000, 200))
    scores = rng.normal(size=(6, 1000, 200)) * np.sqrt(true)
    own = scores[:5].var(axis=0, ddof=1)
    total = FOUR + 6
    t = (scores[5] - scores[:5].mean(axis=0)) / np.sqrt((6 * 2 + 4 * own) / total * 1.2)
    assert (abs(t) > stats.t.isf(0.0005, total)).mean() == pytest.approx(0.001, abs=0.0003)


def test_variances_are_moderated_in_points_whatever_the_metric() -> None:
    """The same scores as a TER, whose 1 is 100 points, and as an accuracy: the same noise, each in its own unit."""
    scores = {"a": [50.0, 52.0, 51.0], "b": [60.0, 61.0, 63.0], "c": [70.0, 70.5, 71.0]}

    def noise(unit: float, metric: str) -> dict[str, float]:
        results = [
            make_result(
                task=task,
                seed=seed,
                metric=metric if task == "b" else "accuracy",
                metrics={"validation": {metric: value * unit, "accuracy": value}},
                rows={"train": 8, "validation": 1000},
            )
            for task, values in scores.items()
            for seed, value in enumerate(values)
        ]
        return {task: found.sd for (task, _), found in noise_of_cells(summarise(results)).items()}

    points, mixed = noise(1, "f1"), noise(0.01, "ter")
    assert mixed == pytest.approx({**points, "b": points["b"] / 100})


def test_no_noise_is_smaller_than_the_weight_of_one_example() -> None:
    results = [
        make_result(
            task=task, seed=seed, metrics={"validation": {"matthews": 50.0}}, rows={"train": 8, "validation": rows}
        )
        for task, rows in (("a", 100), ("b", 100), ("c", 10_000), ("d", 10_000), ("e", 10_000))
        for seed in range(5)
    ]
    found = noise_of_cells(summarise(results))
    assert found["a", "lora"].sd >= 1
    assert found["c", "lora"].sd >= 0.01


def test_a_cell_with_one_seed_has_no_known_noise() -> None:
    assert not noise_of_cells(summarise([make_result()]))
