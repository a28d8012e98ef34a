from collections.abc import Sequence

from sklearn.metrics import f1_score

from benchmarks.tasks.metrics.local import LocalMetric


class F1(LocalMetric):
    """Harmonic mean of precision and recall, in [0, 1]: of class 1, or `average="macro"` over all classes.

    It is 0 for a class that is neither predicted nor there.
    """

    description = "Harmonic mean of precision and recall."
    dtype = "int64"

    def _compute(
        self, predictions: Sequence[int], references: Sequence[int], average: str = "binary"
    ) -> dict[str, float]:
        return {"f1": float(f1_score(references, predictions, average=average, zero_division=0.0))}
