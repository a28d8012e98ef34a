from collections.abc import Sequence

import evaluate
from datasets import Features, Value
from datasets import Sequence as Listed
from seqeval.metrics import f1_score, precision_score, recall_score

from benchmarks.tasks.metrics.local import LocalMetric


class Entities(LocalMetric):
    """Precision, recall and F1 of whole entities over all types, in [0, 1]; seqeval's default mode, conlleval's rules.

    An entity counts where its words and its type are right. An I- that nothing precedes begins an entity.
    """

    description = "Precision, recall and F1 of whole entities."
    dtype = "string"

    def _info(self) -> evaluate.MetricInfo:
        tags = Listed(Value(self.dtype))
        features = Features({"predictions": tags, "references": tags})
        return evaluate.MetricInfo(description=self.description, citation="", features=features)

    def _compute(self, predictions: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> dict[str, float]:
        lists = [list(map(list, side)) for side in (references, predictions)]
        return {
            "precision": float(precision_score(*lists, zero_division=0)),
            "recall": float(recall_score(*lists, zero_division=0)),
            "f1": float(f1_score(*lists, zero_division=0)),
        }
