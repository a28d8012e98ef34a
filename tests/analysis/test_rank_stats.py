import numpy as np
import pytest

from benchmarks.analysis.rank_stats import (
    correlation,
    layer_effect,
    logit_spread,
    noise_ranks,
    task_effect,
)


def test_thresholded_noise_has_a_mean_rank_below_half_of_k() -> None:
    ranks = noise_ranks(0.3, 8, (200, 24))
    assert ranks.mean() == pytest.approx(3.62, abs=0.05)
    assert ranks.std() == pytest.approx(0.87, abs=0.05)


def test_ranks_that_differ_between_layers_stand_out_from_noise() -> None:
    noise = noise_ranks(0.3, 8, (5, 12), seed=99).tolist()
    assert layer_effect(noise, 0.3, 8, draws=200) > 0.05
    assert layer_effect([[1, 8] * 6] * 5, 0.3, 8, draws=200) < 0.01


def test_the_spread_of_selections_that_a_softmax_made_of_normal_logits_is_that_of_the_logits() -> None:
    logits = np.random.default_rng(0).normal(scale=0.9, size=(4000, 8))
    selections = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert logit_spread(selections.tolist()) == pytest.approx(0.9, rel=0.01)  # the standard error is 0.004 of it


def test_a_constant_correlates_with_nothing() -> None:
    assert correlation([1, 1, 1], [1, 2, 3]) is None
    assert correlation([1, 2, 4], [1, 2, 3]) == pytest.approx(1)


def test_tasks_with_different_ranks_differ_from_tasks_with_the_same_ranks() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(1, 9, 12), rng.integers(1, 9, 12)
    own = [[pattern + rng.normal(0, 0.5, 12) for _ in range(5)] for pattern in (one, other)]
    same = [[one + rng.normal(0, 0.5, 12) for _ in range(5)] for _ in range(2)]
    assert task_effect(own).p == pytest.approx(2 / 2**5, abs=0.02)  # 2 of the 32 orders keep the tasks apart
    assert task_effect(same).p > 0.1
    assert task_effect(own).difference > 0.5


def test_what_searches_of_one_seed_share_across_tasks_is_no_task_effect() -> None:
    rng = np.random.default_rng(0)
    by_seed = rng.integers(1, 9, (6, 12))
    assert task_effect([by_seed + rng.normal(0, 0.5, (6, 12)) for _ in range(2)]).p > 0.1  # type: ignore[arg-type]
