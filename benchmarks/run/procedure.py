"""The evaluation procedure of a cell: which examples it is scored on, and at which epoch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autolora.training.splits import stratified_split
from benchmarks.core.protocols import whole_batches
from benchmarks.core.spec import Prediction, Prepared
from benchmarks.store.result import Scores
from benchmarks.store.store import CellFolder

HELD_OUT = "held_out"
"""Name of the evaluation split that is held out from the training set."""
POOLED = "pooled"
"""Name of the evaluation split that pools all evaluation splits."""
CHOOSING_SHARE = 0.1
"""Share of the training set that is held out where it is used to choose the epoch."""


def apply_procedure(prepared: Prepared, config: Mapping[str, Any]) -> Prepared:
    """The training and evaluation examples of a cell with these conditions."""
    if config["held_out"]:
        return hold_out(prepared, config["held_out"])
    if config["pooled"] and len(prepared.evaluation) > 1:
        pooled = [example for examples in prepared.evaluation.values() for example in examples]
        prepared = replace(prepared, evaluation={POOLED: pooled})
    if config["drop_last"]:
        whole = {split: examples[: whole_batches(len(examples))] for split, examples in prepared.evaluation.items()}
        prepared = replace(prepared, evaluation=whole)
    if config["epoch"] == "held-out":
        rest = hold_out(prepared, CHOOSING_SHARE)
        prepared = replace(rest, evaluation={**prepared.evaluation, **rest.evaluation})
    return prepared


def hold_out(prepared: Prepared, share: float) -> Prepared:
    """Replace the evaluation splits by a held-out share of the training set, the same for all methods and seeds."""
    train, held_out = stratified_split(prepared.strata, share, seed=0, groups=prepared.groups)
    return replace(
        prepared,
        train=[prepared.train[index] for index in train],
        strata=[prepared.strata[index] for index in train],
        groups=[prepared.groups[index] for index in train] if prepared.groups else None,
        evaluation={HELD_OUT: [prepared.train[index] for index in held_out]},
    )


class EpochChoice:
    """Keeps the predictions of the best epoch so far, in the cell's folder, so that a resumed cell has them."""

    def __init__(self, folder: CellFolder, split: str, metric: str) -> None:
        """Args: split, metric: the split and the metric by which epochs are compared."""
        self._folder = folder
        self._split = split
        self._metric = metric

    def consider(
        self, epoch: int, predictions: Mapping[str, Prediction], curve: Mapping[int, Mapping[str, Scores]]
    ) -> None:
        """Keep this epoch's predictions if it scores better than all earlier epochs; of equal epochs the first is kept."""
        earlier = [self._score(scores) for other, scores in curve.items() if other < epoch]
        if all(self._score(curve[epoch]) > score for score in earlier):
            self._folder.write_chosen(predictions)

    def predictions(self) -> dict[str, Prediction]:
        """The predictions of the best epoch."""
        return self._folder.chosen()

    def _score(self, scores: Mapping[str, Scores]) -> float:
        value = scores[self._split][self._metric]
        return float("-inf") if value is None else value
