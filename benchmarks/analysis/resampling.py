"""Scores of resampled examples, from the predictions that every result keeps; and McNemar's test of two runs."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar

from benchmarks.core.spec import InputError

Values = NDArray[np.float64]
Score = Callable[[Values, Values, Values], Values]
"""Labels and predictions, and how often each draw has each example (draws x examples): one score per draw, from -100
to 100."""
CHUNK = 200
"""Draws scored at a time, which bounds the memory."""


def accuracy(labels: Values, predictions: Values, counts: Values) -> Values:
    """Share of predictions that are right."""
    return _ratio(counts @ (labels == predictions), counts.sum(axis=1))


def matthews(labels: Values, predictions: Values, counts: Values) -> Values:
    """Matthews correlation of two classes; 0 where a prediction or a label never varies."""
    return pearson(labels == 1, predictions == 1, counts)


def f1(labels: Values, predictions: Values, counts: Values) -> Values:
    """F1 of class 1; 0 where it is never right."""
    truth, said = labels == 1, predictions == 1
    return _ratio(2 * counts @ (truth & said), counts @ truth + counts @ said)


def pearson(labels: Values, predictions: Values, counts: Values) -> Values:
    """Pearson correlation; 0 where a side is constant. Either side may be other values in each draw."""
    first, second = (_centred(side, counts) for side in (labels, predictions))
    covariance, *variances = (
        np.einsum("de,de,de->d", counts, one, other)
        for one, other in ((first, second), (first, first), (second, second))
    )
    return _ratio(covariance, np.sqrt(variances[0] * variances[1]))


def spearman(labels: Values, predictions: Values, counts: Values) -> Values:
    """Spearman correlation; 0 where a side is constant."""
    return pearson(_ranks(labels, counts), _ranks(predictions, counts), counts)


SCORES: Mapping[str, Score] = MappingProxyType(
    {"accuracy": accuracy, "matthews": matthews, "f1": f1, "pearson": pearson, "spearman": spearman}
)
"""Metric -> score; the same values as the metric's own module gives."""


def score_of(metric: str) -> Score:
    """The vectorised form of a metric. Raises InputError: there is none."""
    if metric not in SCORES:
        raise InputError(f"{metric} cannot be computed for resampled examples; known are {', '.join(SCORES)}")
    return SCORES[metric]


def one_score(metric: str, prediction: Mapping[str, Any]) -> float:
    """The metric of a split's kept predictions."""
    labels, predictions = _sides(prediction)
    return float(score_of(metric)(labels, predictions, np.ones((1, len(labels))))[0])


def resampled(metric: str, prediction: Mapping[str, Any], draws: int, *, seed: int = 0) -> Values:
    """The metric of examples drawn with replacement, once per draw.

    The draws depend on the seed and the number of examples alone: methods and seeds of one task are compared example
    by example.
    """
    labels, predictions = _sides(prediction)
    compute, rng = score_of(metric), np.random.default_rng(seed)
    sizes = [min(CHUNK, draws - start) for start in range(0, draws, CHUNK)]
    return np.concatenate([compute(labels, predictions, _counts(rng, size, len(labels))) for size in sizes])


def example_variance(first: Sequence[Values], second: Sequence[Values] | None = None) -> float:
    """Variance, over draws of examples, of what they do to the scores of all seeds alike.

    It is the mean covariance of two seeds over the draws: what examples do to single seeds shows in the scatter of
    their scores already. For a single seed it is its score's variance.

    Args:
        first: `resampled` scores, one array per seed, all of the same draws.
        second: of another method at the same seeds, which are taken off.
    """
    scores = np.array(first) if second is None else np.array(first) - np.array(second)
    seeds = len(scores)
    if seeds == 1:
        return float(scores.var(ddof=1))
    common = seeds * scores.mean(axis=0).var(ddof=1) - scores.var(axis=1, ddof=1).mean()
    return max(0.0, float(common) / (seeds - 1))


def mcnemar_p(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """P value of McNemar's exact test: two runs are right equally often on the same examples."""
    labels = np.asarray(first["labels"])
    right = [np.asarray(side["predictions"]) == labels for side in (first, second)]
    table = [[int(((right[0] == one) & (right[1] == other)).sum()) for other in (True, False)] for one in (True, False)]
    return float(mcnemar(table, exact=True).pvalue)


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> Values:
    """In percent; 0 where there is nothing below."""
    shares: Values = np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
    return 100 * shares


def _sides(prediction: Mapping[str, Any]) -> tuple[Values, Values]:
    labels, predictions = (np.asarray(prediction[side], dtype=float) for side in ("labels", "predictions"))
    return labels, predictions


def _counts(rng: np.random.Generator, draws: int, examples: int) -> Values:
    """How often each example is drawn, draws x examples."""
    places = rng.integers(examples, size=(draws, examples)) + examples * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=draws * examples).reshape(draws, examples).astype(float)


def _centred(values: Values, counts: Values) -> Values:
    """Less each draw's mean, draws x examples; exactly 0 where a draw is constant."""
    means = (counts * values).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
    centred: Values = values - means
    centred[np.abs(centred) < 1e-12 * np.abs(means)] = 0
    return centred


def _ranks(values: Values, counts: Values) -> Values:
    """Each example's mid-rank in each draw, draws x examples."""
    _, places = np.unique(values, return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    alike = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks: Values = alike.cumsum(axis=1) - (alike - 1) / 2
    return ranks[:, places]
