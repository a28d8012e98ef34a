"""Whether a cell's training has learned nothing, by its predictions."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from statistics import mean
from typing import Any

from benchmarks.core.spec import Prediction, Task

ALIKE = 0.01
"""Scores are alike if they differ by at most this fraction of the labels' range: rounding gives a constant output other
values for inputs of other lengths, and what is left of the inputs explains next to none of the labels' variance."""


def has_collapsed(task: Task, prediction: Prediction) -> bool:
    """Whether all predictions are alike although the labels differ, or score below the constant prediction.

    Tags are compared over all words of all sentences. The constant prediction is that of classes and scores alone: the
    most frequent label, or the mean score, of the same examples.
    """
    labels, predictions = (_values(side, task) for side in (prediction.labels, prediction.predictions))
    if _equal(labels):
        return False
    if task.num_labels == 1:
        alike = max(predictions) - min(predictions) <= ALIKE * (max(labels) - min(labels))
    else:
        alike = _equal(predictions)
    return alike or (task.head == "sequence" and _score(task, prediction) < _score(task, _constant(task, labels)))


def _values(side: Sequence[Any], task: Task) -> list[Any]:
    """What is compared: classes, scores, texts (or the references of each), or the tags of all words."""
    return list(chain.from_iterable(side)) if task.head == "token" else list(side)


def _equal(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)


def _constant(task: Task, labels: Sequence[Any]) -> Prediction:
    """The best prediction that ignores the inputs, with its logits."""
    if task.num_labels == 1:
        value = mean(labels)
        logits = [value]
    else:
        value = Counter(labels).most_common(1)[0][0]
        logits = [float(label == value) for label in range(task.num_labels)]
    return Prediction(labels=labels, predictions=[value] * len(labels), scores=[logits] * len(labels))


def _score(task: Task, prediction: Prediction) -> float:
    """The headline metric; NaN where it is undefined."""
    return task.score(prediction)[task.metric]
