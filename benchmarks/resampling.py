"""Scores of resampled examples, from the predictions that every result keeps; and McNemar's test of two runs."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from benchmarks.spec import InputError

Values = NDArray[np.float64]
Draws = NDArray[np.int64]
"""Positions of examples, draws x examples."""
Score = Callable[[Values, Values], Values]
"""Labels and predictions, both draws x examples -> one score per draw, from -100 to 100."""
CHUNK = 200
"""Draws scored at a time, which bounds the memory."""


def accuracy(labels: Values, predictions: Values) -> Values:
    """Share of predictions that are right."""
    return _ratio((labels == predictions).sum(axis=1), np.full(len(labels), labels.shape[1]))


def matthews(labels: Values, predictions: Values) -> Values:
    """Matthews correlation of two classes; 0 where a prediction or a label never varies."""
    truth, said = labels == 1, predictions == 1
    both = (truth & said).mean(axis=1) - truth.mean(axis=1) * said.mean(axis=1)
    scale = np.sqrt(truth.var(axis=1) * said.var(axis=1))
    return _ratio(both, scale)


def f1(labels: Values, predictions: Values) -> Values:
    """F1 of class 1; 0 where it is never right."""
    right = ((labels == 1) & (predictions == 1)).sum(axis=1)
    named = (labels == 1).sum(axis=1) + (predictions == 1).sum(axis=1)
    return _ratio(2 * right, named)


def pearson(labels: Values, predictions: Values) -> Values:
    """Pearson correlation; 0 where a side is constant."""
    first = labels - labels.mean(axis=1, keepdims=True)
    second = predictions - predictions.mean(axis=1, keepdims=True)
    return _ratio((first * second).sum(axis=1), np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1)))


def spearman(labels: Values, predictions: Values) -> Values:
    """Spearman correlation; 0 where a side is constant."""
    return pearson(stats.rankdata(labels, axis=1), stats.rankdata(predictions, axis=1))


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
    labels, predictions = (np.asarray([prediction[side]], dtype=float) for side in ("labels", "predictions"))
    return float(score_of(metric)(labels, predictions)[0])


def draws_of(examples: int, draws: int, *, seed: int = 0) -> Draws:
    """Positions of examples drawn with replacement, draws x examples."""
    return np.random.default_rng(seed).integers(examples, size=(draws, examples))


def resampled(metric: str, prediction: Mapping[str, Any], drawn: Draws) -> Values:
    """The metric of each draw of examples; methods and seeds that share the draws are compared example by example."""
    labels, predictions = (np.asarray(prediction[side], dtype=float) for side in ("labels", "predictions"))
    compute = score_of(metric)
    chunks = [drawn[start : start + CHUNK] for start in range(0, len(drawn), CHUNK)]
    return np.concatenate([compute(labels[chunk], predictions[chunk]) for chunk in chunks])


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
