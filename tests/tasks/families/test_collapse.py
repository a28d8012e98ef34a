"""A cell that has learned nothing is recognised by its predictions, of every kind of task."""

from typing import Any

import pytest

from benchmarks.core import registry
from benchmarks.core.spec import Prediction
from benchmarks.tasks.families.collapse import has_collapsed

SCORES = [0.0, 1.0, 2.0, 5.0]
TAGS = [["O"], ["O", "B-DNA"]]
TEXTS = [["a pub", "one pub"], ["a bar"]]


def collapsed(task: str, labels: list[Any], predictions: list[Any]) -> bool:
    return has_collapsed(registry.task(task), Prediction(labels=labels, predictions=predictions, scores=[]))


@pytest.mark.parametrize(
    ("task", "labels", "predictions"),
    [
        ("rte", [0, 1, 1], [0, 0, 0]),
        ("stsb", SCORES, [2.0, 2.0, 2.0, 2.0]),
        ("stsb", SCORES, [2.0, 2.01, 2.02, 2.03]),  # in the order of the labels, yet within 1% of their range
        ("bionlp2004", TAGS, [["O"], ["O", "O"]]),  # lists of two lengths, and one tag
        ("e2e", TEXTS, ["a pub", "a pub"]),
        ("e2e", TEXTS, ["", ""]),
    ],
)
def test_equal_predictions_for_different_labels_are_a_collapse(
    task: str, labels: list[Any], predictions: list[Any]
) -> None:
    assert collapsed(task, labels, predictions)


@pytest.mark.parametrize(
    ("task", "labels", "predictions"),
    [
        ("rte", [0, 1, 1, 1], [1, 0, 0, 1]),  # 25% where the most frequent label gets 75%
        ("cola", [0, 1, 1, 1], [1, 1, 0, 1]),  # Matthews' correlation of a constant is 0
        ("stsb", SCORES, [4.0, 3.0, 2.0, 1.0]),
    ],
)
def test_a_score_below_that_of_the_constant_prediction_is_a_collapse(
    task: str, labels: list[Any], predictions: list[Any]
) -> None:
    assert collapsed(task, labels, predictions)


@pytest.mark.parametrize(
    ("task", "labels", "predictions"),
    [
        ("rte", [0, 1, 1, 1], [0, 0, 1, 1]),  # 75%, as the most frequent label
        ("stsb", SCORES, [1.0, 1.5, 2.0, 2.5]),
        ("bionlp2004", TAGS, [["B-DNA"], ["O", "O"]]),  # no entity is right, but the tags differ
        ("e2e", TEXTS, ["a", "b"]),
    ],
)
def test_predictions_that_differ_and_are_no_worse_than_a_constant_are_none(
    task: str, labels: list[Any], predictions: list[Any]
) -> None:
    assert not collapsed(task, labels, predictions)


@pytest.mark.parametrize(
    ("task", "labels", "predictions"),
    [("rte", [1, 1], [1, 1]), ("rte", [1, 1], [0, 1]), ("bionlp2004", [["O"], ["O"]], [["O"], ["O"]])],
)
def test_equal_labels_show_no_collapse(task: str, labels: list[Any], predictions: list[Any]) -> None:
    assert not collapsed(task, labels, predictions)
