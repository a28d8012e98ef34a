"""Classification and regression of single texts and pairs of texts, as in GLUE."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.problem import Batch, Example
from benchmarks.core.spec import Head, Prediction, Prepared, Row, TaskData
from benchmarks.data.sources.dataset import DataSet
from benchmarks.tasks.families.evaluation import in_batches
from benchmarks.tasks.metrics.local import LocalMetric

METRICS = ("accuracy", "f1", "matthews", "pearson", "spearman")
"""Metrics that tasks of this family can use."""


@dataclass(frozen=True, kw_only=True)
class TextClassification:
    """A task with a data set of texts, or pairs of texts, each with a class or a score."""

    version: int
    title: str
    dataset: DataSet
    metric: str
    """The headline metric, a name in METRICS."""
    also: tuple[str, ...] = ()
    """Metrics that are reported besides the headline metric."""
    head: Head = "sequence"

    def __post_init__(self) -> None:
        for name in (self.metric, *self.also):
            if name not in METRICS:
                raise ValueError(f"unknown metric {name!r}; known: {', '.join(METRICS)}")

    @property
    def evaluation_splits(self) -> tuple[str, ...]:
        """Splits that are scored; the first one is the headline."""
        return self.dataset.evaluation_splits

    @property
    def num_labels(self) -> int:
        """Number of outputs of the head: one per class, or 1 for a score."""
        return len(self.dataset.columns.labels) or 1

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder."""
        return self.dataset.load(data, partial=partial)

    def prepare(self, data: TaskData, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Prepared:
        """Tokenise, truncating to max_length tokens; each batch is padded to its longest example."""
        examples = {split: self._tokenise(rows, tokenizer, max_length) for split, rows in data.splits.items()}
        return Prepared(
            train=examples["train"],
            strata=[int(row["label"]) for row in data.splits["train"]],
            evaluation={split: examples[split] for split in self.evaluation_splits},
            collate=partial(pad, tokenizer),
        )

    def _tokenise(self, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Example]:
        texts = [[row[name] for row in rows] for name in self.dataset.columns.text]
        # No attention mask: it is all ones until the batch is padded, and `pad` adds it then.
        encoded = tokenizer(*texts, truncation=True, max_length=max_length, return_attention_mask=False)
        columns = {**encoded, "labels": [row["label"] for row in rows]}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def predict(
        self, model: nn.Module, examples: Sequence[Example], prepared: Prepared, runtime: Runtime
    ) -> Prediction:
        """Run the model, which is on the runtime's device, over examples; its mode and all random states are unchanged.

        Raises:
            NonFiniteLossError: a logit is NaN or infinite.
        """
        logits = torch.stack(in_batches(model, examples, prepared.collate, runtime))
        if not logits.isfinite().all():
            non_finite = int((~logits.isfinite()).any(dim=1).sum())
            raise NonFiniteLossError(
                f"{self.title}: the logits of {non_finite} of {len(examples)} examples are not finite"
            )
        predictions = logits[:, 0] if self.num_labels == 1 else logits.argmax(dim=1)
        return Prediction(
            labels=[example["labels"] for example in examples], predictions=predictions.tolist(), scores=logits.tolist()
        )

    def score(self, prediction: Prediction) -> dict[str, float]:
        """Metric name -> value times 100, the headline metric first."""
        inputs = {"predictions": prediction.predictions, "references": prediction.labels}
        return {name: 100 * LocalMetric(name).compute(**inputs)[name] for name in (self.metric, *self.also)}


def pad(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> Batch:
    """Pad to the longest example: int64 tensors of shape (batch, tokens); labels, shape (batch,), in int64 or float32."""
    inputs = [{name: value for name, value in example.items() if name != "labels"} for example in examples]
    labels = [example["labels"] for example in examples]
    dtype = torch.float32 if isinstance(labels[0], float) else torch.int64
    return {**DataCollatorWithPadding(tokenizer)(inputs), "labels": torch.tensor(labels, dtype=dtype)}
