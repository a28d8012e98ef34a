"""Scores of resampled examples, checked against scikit-learn, scipy and simulations with a known true difference."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from benchmarks.analysis.difference import paired
from benchmarks.analysis.resampling import SCORES, example_variance, mcnemar_p, one_score, resampled
from benchmarks.core.spec import InputError

RNG = np.random.default_rng(0)
CLASSES = {"labels": RNG.integers(2, size=200).tolist(), "predictions": RNG.integers(2, size=200).tolist()}
GRADES = {"labels": RNG.normal(size=200).round(1).tolist(), "predictions": RNG.normal(size=200).tolist()}
EXPECTED = {
    "accuracy": accuracy_score,
    "matthews": matthews_corrcoef,
    "f1": f1_score,
    "pearson": lambda labels, predictions: stats.pearsonr(labels, predictions).statistic,
    "spearman": lambda labels, predictions: stats.spearmanr(labels, predictions).statistic,
}


@pytest.mark.parametrize("metric", SCORES)
def test_a_vectorised_score_equals_the_metric_on_every_draw(metric: str) -> None:
    data = GRADES if metric in ("pearson", "spearman") else CLASSES
    found = resampled(metric, data, 250)
    drawn = np.random.default_rng(0).integers(200, size=(250, 200))
    labels, predictions = np.array(data["labels"]), np.array(data["predictions"])
    expected = [100 * EXPECTED[metric](labels[draw], predictions[draw]) for draw in drawn]
    assert found == pytest.approx(expected)
    assert one_score(metric, data) == pytest.approx(100 * EXPECTED[metric](labels, predictions))


@pytest.mark.parametrize("metric", SCORES)
def test_constant_predictions_score_as_in_the_metrics(metric: str) -> None:
    constant = {"labels": CLASSES["labels"], "predictions": [0] * 200}
    assert one_score(metric, constant) == (
        100 * np.mean(np.array(CLASSES["labels"]) == 0) if metric == "accuracy" else 0
    )


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_a_draw_of_equal_predictions_scores_0(metric: str) -> None:
    """One of 200 predictions differs: about a third of the draws leave it out."""
    nearly = {"labels": GRADES["labels"], "predictions": [0.1] * 199 + [0.7]}
    drawn = np.random.default_rng(0).integers(200, size=(100, 200))
    constant = (drawn < 199).all(axis=1)
    assert 20 < constant.sum() < 60
    assert ((resampled(metric, nearly, 100) == 0) == constant).all()


def test_a_metric_without_a_vectorised_form_is_refused() -> None:
    with pytest.raises(InputError, match="bleu cannot be computed for resampled examples; known are accuracy"):
        one_score("bleu", CLASSES)


def test_the_variance_over_examples_is_the_binomial_one_for_accuracy() -> None:
    right = np.mean(np.array(CLASSES["labels"]) == np.array(CLASSES["predictions"]))
    found = example_variance([resampled("accuracy", CLASSES, 4000)])
    assert found == pytest.approx(100**2 * right * (1 - right) / 200, rel=0.1)


def test_examples_that_two_methods_predict_alike_add_no_variance_to_their_difference() -> None:
    mine, perfect = (resampled("accuracy", run, 100) for run in (CLASSES, CLASSES | {"predictions": CLASSES["labels"]}))
    assert example_variance([mine], [mine]) == 0
    assert example_variance([mine], [perfect]) > 0


def test_mcnemars_test_is_the_binomial_test_of_the_examples_that_only_one_run_has_right() -> None:
    labels = [1] * 20
    first = {"labels": labels, "predictions": [1] * 12 + [0] * 2 + [1] * 6}
    second = {"labels": labels, "predictions": [0] * 12 + [1] * 2 + [1] * 6}
    assert mcnemar_p(first, second) == pytest.approx(stats.binomtest(2, 14).pvalue)


@pytest.mark.parametrize("seeds", [3, *(pytest.param(seeds, marks=pytest.mark.slow) for seeds in (5, 10))])
def test_intervals_over_seeds_and_examples_contain_the_true_difference_at_their_level(seeds: int) -> None:
    """Accuracies of two methods over 300 examples; examples and seeds are drawn anew each time."""
    rng = np.random.default_rng(seeds)
    draws, examples, contained = 2000, 300, 0
    for draw in range(draws):
        easy = rng.normal(0.8, 0.7, examples)
        first, second = (_runs(rng, easy + shift, seeds) for shift in (0.3, 0.0))
        scores = [[one_score("accuracy", run) for run in runs] for runs in (first, second)]
        found = paired(*scores)
        assert found is not None
        variance = example_variance(
            *([resampled("accuracy", run, 60, seed=draw) for run in runs] for runs in (first, second))
        )
        low, high = found.with_examples(variance).interval(0.95)
        contained += low <= _TRUTH <= high
    assert contained / draws == pytest.approx(0.95, abs=0.02)


def _runs(rng: np.random.Generator, logits: np.ndarray, seeds: int) -> list[dict[str, Any]]:
    """One run per seed; each example is predicted correctly with the probability of its logit plus the seed's skill."""
    skills = rng.normal(0, _SKILL, (seeds, 1))
    right = rng.random((seeds, len(logits))) < 1 / (1 + np.exp(-(logits + skills)))
    return [{"labels": np.ones(len(logits)), "predictions": run.astype(float)} for run in right]


_SKILL = 0.1


def _mean_accuracy(shift: float) -> float:
    """Expected accuracy by numerical integration over examples and seeds, in percent."""
    logits = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000) * np.hypot(0.7, _SKILL) + 0.8 + shift
    return float(100 * np.mean(1 / (1 + np.exp(-logits))))


_TRUTH = _mean_accuracy(0.3) - _mean_accuracy(0.0)
