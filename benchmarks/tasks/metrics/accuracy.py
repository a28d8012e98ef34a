from collections.abc import Sequence

from sklearn.metrics import accuracy_score

from benchmarks.tasks.metrics.local import LocalMetric


class Accuracy(LocalMetric):
    """Share of examples whose class is right, in [0, 1]."""

    description = "Share of examples whose class is right."
    dtype = "int64"

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"accuracy": float(accuracy_score(references, predictions))}
