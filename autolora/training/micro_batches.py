"""Micro-batches: parts of a batch, each with the share of its loss in the batch's loss."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from autolora.compute.process_group import Team
from autolora.compute.runtime import Runtime
from autolora.problem import Batch, LossDenominator, TrainingLoss, model_loss
from autolora.training.batches import IGNORED, batch_loss, batch_size

_MEANS = (
    "ForCausalLM",
    "ForConditionalGeneration",
    "ForMaskedLM",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForImageClassification",
    "ForVideoClassification",
    "ForAudioClassification",
    "ForTokenClassification",
)
"""Values of transformers' `loss_type` whose loss is a mean over labels or examples."""


def micro_batches(batch: Batch, number: int, denominator: LossDenominator) -> list[tuple[Batch, float]]:
    """Micro-batches with nearly the same number of examples, and the weight of each one's loss in the batch's loss.

    Args:
        batch: not changed.
        number: number of micro-batches; limited to the number of examples.
        denominator: as in `Problem.loss_denominator`; a micro-batch whose denominator is 0 is left out.

    Raises:
        ValueError: the batch's denominator is 0, or an entry has another number of rows than there are examples.
    """
    size = batch_size(batch)
    number = min(number, size)
    if number == 1:
        return [(batch, 1.0)]
    ends = [size * done // number for done in range(number + 1)]
    parts = [_rows(batch, size, slice(*pair)) for pair in pairwise(ends)]
    counts = [denominator(part) for part in parts]
    whole = denominator(batch)
    if not whole:
        raise ValueError(f"the loss is a mean over the labels that count, and none of a batch of {size} examples does")
    return [(part, count / whole) for part, count in zip(parts, counts, strict=True) if count]


def local_parts(batch: Batch, number: int, team: Team, denominator: LossDenominator) -> list[tuple[Batch, float]]:
    """This process's micro-batches and their weights, as `micro_batches`, where every process gets `number` of them."""
    return team.local_parts(micro_batches(batch, number * team.size, denominator))


def denominator_of(
    model: nn.Module, loss: TrainingLoss, given: LossDenominator | None, *, runtime: Runtime, number: int
) -> LossDenominator:
    """The denominator of a training loss: the given one, or that of a Hugging Face model's own loss.

    Args:
        model: the model that is trained.
        loss: training loss of one batch.
        given: `Problem.loss_denominator`.
        runtime: as in `Problem`.
        number: number of micro-batches per process.

    Raises:
        ValueError: batches are computed in parts, and nobody says what the loss is the mean over.
    """
    if given is not None:
        return given
    parts = number * runtime.team.size
    if parts > 1 and loss is not model_loss:
        raise ValueError(
            f"a batch is computed in {parts} parts (micro-batches times processes), whose losses are weighted by the "
            "loss's denominator: set loss_denominator for a loss of your own, such as lambda batch: len(batch['labels'])"
        )
    kind = getattr(model, "loss_type", None)
    if parts > 1 and kind is not None and kind not in _MEANS:
        raise ValueError(
            f"a batch is computed in {parts} parts (micro-batches times processes), and the loss {kind} of "
            f"{type(model).__name__} is not known to be a mean over labels: set loss_denominator"
        )
    return HuggingFaceDenominator(model, partial(batch_loss, loss=loss, runtime=runtime))


class HuggingFaceDenominator:
    """Batch -> what the loss of a Hugging Face model is the mean over.

    - Integer labels: the labels that are not IGNORED; those of the first position do not count for a model that
      predicts the next token. Which models do so is found by a probe at the first batch, since neither the class nor
      `loss_type` tells: BART's decoder predicts in place, and a caller can set `model.loss_function`.
    - Labels that are no integers (regression, several labels at once): all of them.
    - Answers in a text, without labels: the examples whose answer starts in the text, as for others the loss is 0.
    - Anything else: the examples.
    """

    def __init__(self, model: nn.Module, loss: TrainingLoss = model_loss) -> None:
        self._model = model
        self._loss = loss
        self._first_counts: bool | None = None

    def __call__(self, batch: Batch) -> float:
        """The denominator of a batch's loss."""
        labels = batch.get("labels")
        if not isinstance(labels, Tensor):
            starts, ids = batch.get("start_positions"), batch.get("input_ids")
            if isinstance(starts, Tensor) and isinstance(ids, Tensor):
                return int((starts < ids.shape[1]).sum())
            return batch_size(batch)
        if labels.is_floating_point() or self._is_regression():
            return labels.numel()
        if labels.ndim != 2:  # (examples, positions)
            return counted_labels(batch)
        if self._first_counts is None:
            self._first_counts = _first_label_counts(self._model, batch, self._loss)
        return counted_labels(batch if self._first_counts else {"labels": labels[:, 1:]})

    def _is_regression(self) -> bool:
        return getattr(getattr(self._model, "config", None), "problem_type", None) == "regression"


def counted_labels(batch: Batch) -> int:
    """Number of the batch's `labels` that are not IGNORED."""
    return int((batch["labels"] != IGNORED).sum())


@torch.no_grad()
def _first_label_counts(model: nn.Module, batch: Batch, loss: TrainingLoss) -> bool:
    """Whether labels of the first position have a part in the loss; if not, the loss of an example with no other is NaN.

    The model is left unchanged, and no random number is drawn, since the model is in evaluation mode meanwhile.
    """
    example = _rows(batch, batch_size(batch), slice(0, 1))
    labels = torch.full_like(example["labels"], IGNORED)
    labels[:, 0] = 0
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        value = float(loss(model, {**example, "labels": labels}))
    finally:
        for module in training:
            module.training = True
    return value > 0


def _rows(batch: Mapping[str, Any], size: int, rows: slice) -> dict[str, Any]:
    """These examples of a batch: rows of its tensors and lists, also nested; anything else belongs to every part."""

    def part(name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return _rows(value, size, rows)
        if not isinstance(value, list | tuple) and not (isinstance(value, Tensor) and value.ndim):
            return value
        if len(value) != size:
            raise ValueError(
                f"a batch is cut by its first dimension, so {name!r} must have a row for each of the {size} examples; "
                f"it has {len(value)}: use micro_batches = 1 and one process"
            )
        return value[rows]

    return {name: part(name, value) for name, value in batch.items()}
