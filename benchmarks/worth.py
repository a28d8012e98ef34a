"""How hard a task is: what can be scored on it without fine-tuning an encoder."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean
from typing import cast

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate
from torch import nn

from autolora.problem import Batch, Example
from benchmarks import registry
from benchmarks.materials import Materials
from benchmarks.result import Result
from benchmarks.spec import Prediction, Row, Task

FLOORS = ("majority class", "bag of words", "frozen encoder")
"""What `floors` measures."""


def floors(name: str, materials: Materials, *, data: str, model: str, max_length: int = 64) -> dict[str, float]:
    """Headline scores on the headline split, by FLOORS.

    - majority class: the most frequent training label for every example; the mean score for regression.
    - bag of words: logistic regression on word counts (ridge regression for scores); of the two texts of a pair
      counted together, and counted apart, the better one.
    - frozen encoder: the same on the pooled output of the pretrained encoder.
    """
    task = registry.task(name)
    rows = materials.data(name, data, False)
    train, evaluation = rows.splits["train"], rows.splits[task.evaluation_splits[0]]
    prepared = materials.prepared(name, data, False, model, max_length)
    encoder = cast("nn.Module", materials.backbone(model).builder(task.num_labels, 0)().base_model).eval()
    labels = [row["label"] for row in train]

    def score(predictions: Sequence[float]) -> float:
        truth = [row["label"] for row in evaluation]
        return task.score(Prediction(labels=truth, predictions=predictions, scores=()))[task.metric]

    def fitted(features: Callable[[Sequence[Row]], list[str]]) -> float:
        pipeline = make_pipeline(CountVectorizer(token_pattern=r"\S+"), _regression(task))  # noqa: S106  no password
        return score(pipeline.fit(features(train), labels).predict(features(evaluation)).tolist())

    def encoded(examples: Sequence[Example]) -> np.ndarray:
        return pooled(encoder, examples, prepared.collate)

    frozen = make_pipeline(StandardScaler(), _regression(task)).fit(encoded(prepared.train), labels)
    constant = mean(labels) if task.num_labels == 1 else Counter(labels).most_common(1)[0][0]
    return {
        "majority class": score([constant] * len(evaluation)),
        "bag of words": max(fitted(_together), fitted(_apart)),
        "frozen encoder": score(frozen.predict(encoded(prepared.evaluation[task.evaluation_splits[0]])).tolist()),
    }


@torch.inference_mode()
def pooled(
    encoder: nn.Module, examples: Sequence[Example], collate: Callable[[Sequence[Example]], Batch]
) -> np.ndarray:
    """Pooled output per example, shape (examples, hidden size)."""
    parts = []
    for start in range(0, len(examples), 64):
        inputs = {name: value for name, value in collate(examples[start : start + 64]).items() if name != "labels"}
        parts.append(encoder(**inputs).pooler_output)
    return torch.cat(parts).numpy()


def render(tasks: Sequence[str], results: Sequence[Result], materials: Materials, *, data: str, model: str) -> str:
    """A table of the floors, with the mean of full fine-tuning beside them where there are results of it."""
    rows = []
    for name in tasks:
        found = floors(name, materials, data=data, model=model)
        tuned = [result.score for result in results if (result.task, result.method) == (name, "full")]
        scores = [score for score in tuned if score is not None]
        full = f"{mean(scores):.1f} (n={len(scores)})" if scores else "-"
        rows.append([registry.task(name).title, *(f"{found[floor]:.1f}" for floor in FLOORS), full])
    return tabulate(rows, headers=("task", *FLOORS, "full fine-tuning"), tablefmt="pipe", disable_numparse=True)


def _regression(task: Task) -> LogisticRegression | Ridge:
    return Ridge() if task.num_labels == 1 else LogisticRegression(max_iter=2000)


def _texts(row: Row) -> list[str]:
    return [value for value in row.values() if isinstance(value, str)]


def _together(rows: Sequence[Row]) -> list[str]:
    return [" ".join(_texts(row)) for row in rows]


def _apart(rows: Sequence[Row]) -> list[str]:
    return [" ".join(f"{i}:{word}" for i, text in enumerate(_texts(row)) for word in text.split()) for row in rows]
