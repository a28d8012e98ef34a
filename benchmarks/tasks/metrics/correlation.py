"""Pearson's and Spearman's correlation of scores.

A correlation with constant predictions is 0/0. It counts as 0 here, which is Matthews' convention for constant
classes too: such a model knows nothing of the order, and its row must stay comparable. Constant references are
another matter: no model can be measured on them, so they are an error.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

from benchmarks.tasks.metrics.local import LocalMetric


class Pearson(LocalMetric):
    """Linear correlation, in [-1, 1]; 0 for constant predictions."""

    description = "Pearson's correlation of predicted and true scores."
    dtype = "float64"

    def _compute(self, predictions: Sequence[float], references: Sequence[float]) -> dict[str, float]:
        return {"pearson": _correlation(pearsonr, predictions, references)}


class Spearman(LocalMetric):
    """Correlation of ranks, in [-1, 1]; ties share their mean rank; 0 for constant predictions."""

    description = "Spearman's rank correlation of predicted and true scores."
    dtype = "float64"

    def _compute(self, predictions: Sequence[float], references: Sequence[float]) -> dict[str, float]:
        return {"spearman": _correlation(spearmanr, predictions, references)}


def _correlation(correlate: Callable[..., Any], predictions: Sequence[float], references: Sequence[float]) -> float:
    if not np.isfinite([*predictions, *references]).all():
        raise ValueError("scores must be finite to be correlated")
    if np.ptp(references) == 0:
        raise ValueError(f"references must differ to be correlated with; all {len(references)} are {references[0]}")
    if np.ptp(predictions) == 0:
        return 0.0
    return float(correlate(references, predictions).statistic)
