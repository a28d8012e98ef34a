"""What a cell is scored on, by its conditions: which examples, and which epoch's model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autolora.training.splits import stratified_split
from benchmarks.core.protocols import whole_batches
from benchmarks.core.spec import Prediction, Prepared
from benchmarks.store.result import Scores
from benchmarks.store.store import CellFolder

HELD_OUT = "held_out"
"""Name of the evaluation split that is part of the training set."""
POOLED = "pooled"
"""Name of all evaluation splits as one."""
CHOOSING_SHARE = 0.1
"""Of the training set, held out where it chooses the epoch."""


def apply_procedure(prepared: Prepared, config: Mapping[str, Any]) -> Prepared:
    """The examples that a cell of these conditions trains on and is scored on."""
    if config["held_out"]:
        return hold_out(prepared, config["held_out"])
    if config["pooled"] and len(prepared.evaluation) > 1:
        everything = [example for examples in prepared.evaluation.values() for example in examples]
        prepared = replace(prepared, evaluation={POOLED: everything})
    if config["drop_last"]:
        whole = {split: examples[: whole_batches(len(examples))] for split, examples in prepared.evaluation.items()}
        prepared = replace(prepared, evaluation=whole)
    if config["epoch"] == "held-out":
        rest = hold_out(prepared, CHOOSING_SHARE)
        prepared = replace(rest, evaluation={**prepared.evaluation, **rest.evaluation})
    return prepared


def hold_out(prepared: Prepared, share: float) -> Prepared:
    """Take a share of the training set for evaluation, the same for all methods and seeds, in place of the splits."""
    train, held_out = stratified_split(prepared.strata, share, seed=0, groups=prepared.groups)
    return replace(
        prepared,
        train=[prepared.train[index] for index in train],
        strata=[prepared.strata[index] for index in train],
        groups=[prepared.groups[index] for index in train] if prepared.groups else None,
        evaluation={HELD_OUT: [prepared.train[index] for index in held_out]},
    )


class EpochChoice:
    """Keeps the predictions of the epoch that scored best so far, in the cell's folder: a resumed cell has them too."""

    def __init__(self, folder: CellFolder, split: str, metric: str) -> None:
        """Args: split, metric: what an epoch is judged by."""
        self._folder = folder
        self._split = split
        self._metric = metric

    def consider(
        self, epoch: int, predictions: Mapping[str, Prediction], curve: Mapping[int, Mapping[str, Scores]]
    ) -> None:
        """Keep this epoch's predictions where no other epoch of the curve is better; of equals the first stays."""
        others = [self._score(scores) for other, scores in curve.items() if other < epoch]
        if all(self._score(curve[epoch]) > score for score in others):
            self._folder.write_chosen(predictions)

    def predictions(self) -> dict[str, Prediction]:
        """Those of the best epoch."""
        return self._folder.chosen()

    def _score(self, scores: Mapping[str, Scores]) -> float:
        value = scores[self._split][self._metric]
        return float("-inf") if value is None else value
