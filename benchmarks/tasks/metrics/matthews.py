from collections.abc import Sequence

from sklearn.metrics import matthews_corrcoef

from benchmarks.tasks.metrics.local import LocalMetric


class Matthews(LocalMetric):
    """Matthews' correlation of two classifications, in [-1, 1]; 0 where either is constant."""

    description = "Matthews' correlation of predicted and true classes."
    dtype = "int64"

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"matthews": float(matthews_corrcoef(references, predictions))}
