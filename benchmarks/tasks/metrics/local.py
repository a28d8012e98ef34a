"""The base of our metrics: `evaluate.Metric` without the network and without files."""

from typing import Any

import evaluate
from datasets import Features, Value


class LocalMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """A metric computed in memory from one prediction and one reference per example.

    A subclass sets `description` and `dtype`, and computes.
    """

    description: str
    dtype: str
    """What predictions and references are: "int64" class indices or "float64" scores."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(keep_in_memory=True, **settings)

    def _build_data_dir(self) -> str:
        return ""  # evaluate would create a folder in the user's cache, and use it for nothing

    def _info(self) -> evaluate.MetricInfo:
        features = Features({"predictions": Value(self.dtype), "references": Value(self.dtype)})
        return evaluate.MetricInfo(description=self.description, citation="", features=features)
