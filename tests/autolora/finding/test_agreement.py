"""Kendall's W against Friedman's test and exact permutations; sentences of what follows."""

import itertools
from statistics import mean

import numpy as np
import pytest
from scipy import stats

from autolora.finding import agreement as module
from autolora.finding.agreement import Agreement, concordance, kendalls_w


def test_kendalls_w_is_that_of_friedmans_test() -> None:
    matrix = np.random.default_rng(0).integers(1, 6, size=(5, 12)).astype(float)
    chi2 = stats.friedmanchisquare(*matrix.T).statistic
    assert kendalls_w(matrix) == pytest.approx(chi2 / (5 * 11))


def test_searches_that_agree_have_w_one_and_opposite_ones_zero() -> None:
    assert kendalls_w(np.array([[1.0, 2, 3], [2, 4, 9]])) == pytest.approx(1)
    assert kendalls_w(np.array([[1.0, 2, 3], [3, 2, 1]])) == pytest.approx(0)


def test_the_permutation_test_counts_the_orders_that_agree_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERMUTATIONS", 999)
    ranks = [[1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]]
    observed = kendalls_w(np.array(ranks, dtype=float))
    ways = itertools.product(*(list(itertools.permutations(row)) for row in ranks[1:]))
    truth = mean(kendalls_w(np.array([ranks[0], *way], dtype=float)) >= observed - 1e-12 for way in ways)
    found = concordance(ranks)
    assert found is not None
    assert found.p == pytest.approx(truth, abs=0.02)


def test_noise_agrees_by_chance_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERMUTATIONS", 199)
    noise = [np.random.default_rng(seed).integers(1, 9, size=(5, 12)) for seed in range(60)]
    found = [concordance(ranks.tolist(), seed=seed) for seed, ranks in enumerate(noise)]
    ps = [item.p for item in found if item]
    assert 0 <= mean(p < 0.05 for p in ps) < 0.15
    assert 0.35 < mean(ps) < 0.65


def test_one_search_or_constant_ranks_have_no_concordance() -> None:
    assert concordance([[1, 2, 3]]) is None
    assert concordance([[4, 4, 4], [1, 2, 3]]) is None


def test_a_sentence_says_whether_ranks_are_learned() -> None:
    learned, noise = Agreement(w=0.8, p=0.001, searches=5), Agreement(w=0.25, p=0.3, searches=5)
    assert "agree" in str(learned)
    assert "W 0.80 over 5 searches, by chance 0.20" in str(learned)
    assert "noise" in str(noise)
