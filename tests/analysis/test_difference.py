"""Differences over seeds, checked against scipy's tests and simulations with a known true difference."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.analysis.difference import Difference, against_published, paired, unpaired

DRAWS = 2000


def test_paired_scores_are_compared_as_by_the_paired_t_test() -> None:
    one, other = [60.0, 62.0, 61.0, 63.5], [59.0, 60.0, 61.5, 61.0]
    found, truth = paired(one, other), stats.ttest_rel(one, other)
    assert found is not None
    assert found.p_nonzero() == pytest.approx(truth.pvalue)
    assert found.interval(0.95) == pytest.approx(tuple(truth.confidence_interval(0.95)))
    assert found.p_above(0) == pytest.approx(stats.ttest_rel(one, other, alternative="greater").pvalue)
    assert paired([1.0], [2.0]) is None
    assert paired([1.0, 2.0], [1.0, 2.0]).p_nonzero() == 1  # type: ignore[union-attr]


def test_unpaired_scores_are_compared_as_by_the_t_test_of_equal_variances() -> None:
    one, other = [60.0, 62.0, 61.0, 63.5], [59.0, 60.0, 61.5]
    found, truth = unpaired(one, other), stats.ttest_ind(one, other)
    assert found is not None
    assert found.p_nonzero() == pytest.approx(truth.pvalue)
    assert found.interval(0.9) == pytest.approx(tuple(truth.confidence_interval(0.9)))


def test_a_single_score_is_compared_with_the_prediction_interval_of_several() -> None:
    reference = [60.0, 62.0, 61.0]
    found = unpaired([65.0], reference)
    assert found is not None
    half = stats.t.ppf(0.975, 2) * np.std(reference, ddof=1) * np.sqrt(1 + 1 / 3)
    assert found.half_width(0.95) == pytest.approx(half)
    assert unpaired([65.0], [60.0]) is None
    assert unpaired([], [60.0, 61.0]) is None


def test_equal_scores_do_not_show_that_there_is_no_noise() -> None:
    found = unpaired([50.5], [50.0, 50.0, 50.0], least_sd=0.4)
    assert found is not None
    assert found.error == pytest.approx(0.4 * np.sqrt(4 / 3))
    exact = unpaired([50.0], [50.0, 50.0, 50.0])
    assert exact is not None
    assert exact.p_nonzero() == 1


def test_fewer_assumed_published_runs_mean_a_larger_standard_error() -> None:
    scores = [61.0, 61.4, 61.2]
    errors = [found.error for n in (1, 3, 5) if (found := against_published(scores, 61.3, n))]
    assert errors == sorted(errors, reverse=True)
    assert errors[1] == pytest.approx(np.std(scores, ddof=1) * np.sqrt(2 / 3))
    assert against_published([61.0], 61.3, 3) is None


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("published_seeds", [1, 3])
def test_intervals_over_seeds_contain_the_true_difference_at_their_level(seeds: int, published_seeds: int) -> None:
    rng = np.random.default_rng([seeds, published_seeds])
    contained = 0
    for _ in range(DRAWS):
        published = rng.normal(60, 1.5, published_seeds).mean()
        found = against_published(rng.normal(61, 1.5, seeds).tolist(), published, published_seeds)
        assert found is not None
        low, high = found.interval(0.95)
        contained += low <= 1 <= high
    assert contained / DRAWS == pytest.approx(0.95, abs=0.02)


def test_a_negated_difference_has_the_p_value_of_the_other_side() -> None:
    found = Difference(value=1.2, error=0.5, degrees_of_freedom=4)
    assert found.p_above(0.5) == pytest.approx(found.negated().p_below(-0.5))
    assert found.p_above(0.5) + found.p_below(0.5) == pytest.approx(1)


def test_random_examples_widen_an_interval_and_add_to_its_degrees_of_freedom() -> None:
    found = Difference(value=1.0, error=0.5, degrees_of_freedom=2)
    wider = found.with_examples(0.75)
    assert wider.error == pytest.approx(1.0)
    assert wider.degrees_of_freedom == pytest.approx(2 * 4**2)  # Satterthwaite: (0.25 + 0.75)^2 / (0.25^2 / 2)
    assert Difference(value=0, error=0, degrees_of_freedom=2).with_examples(1.0).half_width(0.95) == pytest.approx(
        1.96, abs=1e-3
    )


def test_equal_differences_of_few_seeds_keep_a_standard_error() -> None:
    found = paired([56.0, 57.0, 58.0], [55.6, 56.6, 57.6], least_sd=0.36)
    assert found is not None
    assert found.error == pytest.approx(0.36 / np.sqrt(3))
    published = against_published([61.0, 61.0, 61.0], 61.3, 1, least_sd=0.1)
    assert published is not None
    assert published.error == pytest.approx(0.1 * np.sqrt(4 / 3))


def test_a_difference_of_the_detectable_size_is_found_in_four_of_five_draws() -> None:
    rng = np.random.default_rng(0)
    difference = Difference(value=0.0, error=1.0, degrees_of_freedom=4)
    # The error of a draw is unknown: its square is chi-squared with 4 degrees of freedom, over 4.
    errors = np.sqrt(rng.chisquare(4, 100_000) / 4)
    found = abs(difference.detectable(0.05) * errors + rng.normal(size=100_000)) / errors > stats.t.isf(0.025, 4)
    assert found.mean() == pytest.approx(0.8, abs=0.006)
