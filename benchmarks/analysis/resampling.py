"""Bootstrap scores of resampled examples, computed from stored predictions, and McNemar's test of two runs."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar

from benchmarks.core.spec import InputError

Values = NDArray[np.float64]
Score = Callable[[Values, Values, Values], Values]
"""(labels, predictions, counts) -> one score per draw, from -100 to 100; counts says how often each draw contains each
example, shape (draws, examples)."""
CHUNK = 200
"""Number of draws that are scored at a time, which bounds the memory."""


def accuracy(labels: Values, predictions: Values, counts: Values) -> Values:
    """Share of correct predictions, in percent."""
    return _ratio(counts @ (labels == predictions), counts.sum(axis=1))


def matthews(labels: Values, predictions: Values, counts: Values) -> Values:
    """Matthews correlation of two classes; 0 where the predictions or the labels are constant."""
    return pearson(labels == 1, predictions == 1, counts)


def f1(labels: Values, predictions: Values, counts: Values) -> Values:
    """F1 of class 1, one per draw of examples; 0 where class 1 is never predicted correctly."""
    truth, predicted = labels == 1, predictions == 1
    return _ratio(2 * counts @ (truth & predicted), counts @ truth + counts @ predicted)


def pearson(labels: Values, predictions: Values, counts: Values) -> Values:
    """Pearson correlation; 0 where labels or predictions are constant.

    Labels and predictions have shape (examples,), or (draws, examples) where their values differ between draws.
    """
    first, second = (_centred(side, counts) for side in (labels, predictions))
    covariance, *variances = (
        np.einsum("de,de,de->d", counts, one, other)
        for one, other in ((first, second), (first, first), (second, second))
    )
    return _ratio(covariance, np.sqrt(variances[0] * variances[1]))


def spearman(labels: Values, predictions: Values, counts: Values) -> Values:
    """Spearman correlation; 0 where labels or predictions are constant."""
    return pearson(_ranks(labels, counts), _ranks(predictions, counts), counts)


SCORES: Mapping[str, Score] = MappingProxyType(
    {"accuracy": accuracy, "matthews": matthews, "f1": f1, "pearson": pearson, "spearman": spearman}
)
"""Metric -> its vectorised form, which gives the same values as the metric's own module."""


def score_of(metric: str) -> Score:
    """The vectorised form of a metric. Raises InputError: the metric has no vectorised form."""
    if metric not in SCORES:
        raise InputError(f"{metric} cannot be computed for resampled examples; known are {', '.join(SCORES)}")
    return SCORES[metric]


def one_score(metric: str, prediction: Mapping[str, Any]) -> float:
    """The metric of the stored predictions of one evaluation split."""
    labels, predictions = _labels_and_predictions(prediction)
    return float(score_of(metric)(labels, predictions, np.ones((1, len(labels))))[0])


def resampled(metric: str, prediction: Mapping[str, Any], draws: int, *, seed: int = 0) -> Values:
    """The metric of examples drawn with replacement, one score per draw.

    The draws depend only on the seed and the number of examples, so all methods and seeds of a task get the same draws.
    """
    labels, predictions = _labels_and_predictions(prediction)
    compute, rng = score_of(metric), np.random.default_rng(seed)
    sizes = [min(CHUNK, draws - start) for start in range(0, draws, CHUNK)]
    return np.concatenate([compute(labels, predictions, _counts(rng, size, len(labels))) for size in sizes])


def example_variance(first: Sequence[Values], second: Sequence[Values] | None = None) -> float:
    """Variance over draws of examples that the scores of all seeds share.

    It is the mean covariance between two seeds over the draws: the variance that examples cause in single seeds is
    already part of the spread over seeds. For a single seed it is the variance of that seed's score.

    Args:
        first: `resampled` scores of a method, one array per seed, all of the same draws.
        second: the same of another method at the same seeds; if given, the variance is that of the difference.
    """
    scores = np.array(first) if second is None else np.array(first) - np.array(second)
    seeds = len(scores)
    if seeds == 1:
        return float(scores.var(ddof=1))
    shared = seeds * scores.mean(axis=0).var(ddof=1) - scores.var(axis=1, ddof=1).mean()
    return max(0.0, float(shared) / (seeds - 1))


def mcnemar_p(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """P value of McNemar's exact test against "both runs are correct equally often on the same examples"."""
    labels = np.asarray(first["labels"])
    correct = [np.asarray(run["predictions"]) == labels for run in (first, second)]
    table = [
        [int(((correct[0] == in_first) & (correct[1] == in_second)).sum()) for in_second in (True, False)]
        for in_first in (True, False)
    ]
    return float(mcnemar(table, exact=True).pvalue)


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Values:
    """The ratio in percent; 0 where the denominator is 0."""
    shares: Values = np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
    return 100 * shares


def _labels_and_predictions(prediction: Mapping[str, Any]) -> tuple[Values, Values]:
    labels, predictions = (np.asarray(prediction[side], dtype=float) for side in ("labels", "predictions"))
    return labels, predictions


def _counts(rng: np.random.Generator, draws: int, examples: int) -> Values:
    """How often each draw contains each example, shape (draws, examples)."""
    places = rng.integers(examples, size=(draws, examples)) + examples * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=draws * examples).reshape(draws, examples).astype(float)


def _centred(values: Values, counts: Values) -> Values:
    """Values less the mean of each draw, shape (draws, examples); exactly 0 where a draw is constant."""
    means = (counts * values).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
    centred: Values = values - means
    centred[np.abs(centred) < 1e-12 * np.abs(means)] = 0
    return centred


def _ranks(values: Values, counts: Values) -> Values:
    """Mid-rank of each example in each draw, shape (draws, examples)."""
    _, places = np.unique(values, return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    tied = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks: Values = tied.cumsum(axis=1) - (tied - 1) / 2
    return ranks[:, places]
