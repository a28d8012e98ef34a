"""Metrics of scikit-learn, scipy and seqeval as `evaluate.Metric`s that need no network and write no files.

A correlation with constant predictions is 0/0. It is defined as 0 here, which is also the convention for Matthews'
correlation with constant classes: such predictions carry no information, and the scores stay comparable. Constant
references are an error, because no model can be evaluated on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import datasets
import evaluate
import numpy as np
from scipy.stats import pearsonr, spearmanr
from seqeval import metrics as seqeval
from sklearn import metrics as sklearn


@dataclass(frozen=True, kw_only=True)
class Score:
    """Computation of one metric."""

    compute: Callable[..., Mapping[str, float]]
    """References, predictions, and options of the metric -> values by name."""
    dtype: str
    """Type of predictions and references: "int64" class indices, "float64" scores or "string" tags."""
    per_word: bool = False
    """Whether an example has a list of values, one per word."""


class LocalMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """An `evaluate.Metric` that needs no network and writes no files.

    Args:
        name: a key of SCORES in this module.

    Raises:
        KeyError: the metric is unknown.
    """

    def __init__(self, name: str) -> None:
        self._score = SCORES[name]
        super().__init__(keep_in_memory=True)

    def _build_data_dir(self) -> str:
        return ""  # otherwise evaluate creates an unused folder in the user's cache

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value(self._score.dtype)
        feature = datasets.Sequence(value) if self._score.per_word else value
        features = datasets.Features({"predictions": feature, "references": feature})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions: Sequence[Any], references: Sequence[Any], **options: Any) -> Mapping[str, float]:
        return self._score.compute(references, predictions, **options)


def _accuracy(references: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """Share of correct predictions, in [0, 1]."""
    return {"accuracy": float(sklearn.accuracy_score(references, predictions))}


def _f1(references: Sequence[int], predictions: Sequence[int], average: str = "binary") -> dict[str, float]:
    """Harmonic mean of precision and recall, in [0, 1]: of class 1, or `average="macro"` over all classes.

    It is 0 for a class that occurs neither in the predictions nor in the references.
    """
    return {"f1": float(sklearn.f1_score(references, predictions, average=average, zero_division=0.0))}


def _matthews(references: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """Matthews' correlation of two classifications, in [-1, 1]; 0 where either is constant."""
    return {"matthews": float(sklearn.matthews_corrcoef(references, predictions))}


def _correlation(
    name: str, correlate: Callable[..., Any], references: Sequence[float], predictions: Sequence[float]
) -> dict[str, float]:
    """Pearson's correlation, or Spearman's, which gives ties their mean rank; in [-1, 1]."""
    if not np.isfinite([*predictions, *references]).all():
        raise ValueError("scores must be finite to be correlated")
    if np.ptp(references) == 0:
        raise ValueError(f"references must not all be equal; all {len(references)} are {references[0]}")
    if np.ptp(predictions) == 0:
        return {name: 0.0}
    return {name: float(correlate(references, predictions).statistic)}


def _entities(references: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> dict[str, float]:
    """Precision, recall and F1 of whole entities over all types, in [0, 1]; seqeval's default mode, conlleval's rules.

    An entity is correct if its words and its type are. An I- tag that continues no entity begins one.
    """
    tags = [list(map(list, side)) for side in (references, predictions)]
    return {
        "precision": float(seqeval.precision_score(*tags, zero_division=0)),
        "recall": float(seqeval.recall_score(*tags, zero_division=0)),
        "f1": float(seqeval.f1_score(*tags, zero_division=0)),
    }


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "accuracy": Score(compute=_accuracy, dtype="int64"),
        "f1": Score(compute=_f1, dtype="int64"),
        "matthews": Score(compute=_matthews, dtype="int64"),
        "pearson": Score(compute=partial(_correlation, "pearson", pearsonr), dtype="float64"),
        "spearman": Score(compute=partial(_correlation, "spearman", spearmanr), dtype="float64"),
        "entities": Score(compute=_entities, dtype="string", per_word=True),
    }
)
