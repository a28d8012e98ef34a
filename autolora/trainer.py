"""A search for users of `transformers.Trainer`: the trainer provides the model and the training set."""

import copy
import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Example, Problem
from autolora.training.micro_batches import HuggingFaceDenominator


def problem_from_trainer(
    trainer: Any, *, head: tuple[str, ...] = ("classifier", "score"), targets: tuple[str, str] | None = None
) -> Problem:
    """The problem that a trainer is about to solve, for `search`; the trainer and its model are left unchanged.

    The problem has the trainer's model (`model_init`, or a copy of `model`), training set, collator, loss
    (`compute_loss`), seed, device and bf16. D_val is split off the training set, with class labels as strata; the
    trainer's evaluation set is not used.

    Args:
        trainer: a `transformers.Trainer` before its training.
        head: as in `Problem`.
        targets: as in `Problem`.

    Raises:
        ValueError: the trainer has no training set.
    """
    if trainer.train_dataset is None:
        raise ValueError("the trainer has no train_dataset: there is nothing to search on")

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        value: Tensor = trainer.compute_loss(model, dict(batch))
        return value

    train = _examples(trainer)
    return Problem(
        build_model=trainer.model_init or partial(copy.deepcopy, copy.deepcopy(trainer.model).cpu()),
        train=train,
        collate=lambda examples: dict(trainer.data_collator(list(examples))),
        loss=loss,
        loss_denominator=HuggingFaceDenominator(trainer.model, loss) if _has_the_usual_loss(trainer) else None,
        head=head,
        targets=targets,
        strata=_class_labels(train),
        seed=trainer.args.seed,
        runtime=Runtime(device=str(trainer.args.device), precision="bf16" if trainer.args.bf16 else "fp32"),
    )


def _has_the_usual_loss(trainer: Any) -> bool:
    """Whether the loss is a mean as transformers computes it: by the model or by label smoothing, not by the user."""
    from transformers import Trainer  # noqa: PLC0415  slow to import

    return type(trainer).compute_loss is Trainer.compute_loss and trainer.compute_loss_func is None


def _examples(trainer: Any) -> list[Example]:
    """The rows of the training set, with the columns that are labels or arguments of the model."""
    known = {"label", "label_ids", "labels", *inspect.signature(trainer.model.forward).parameters}
    rows: Iterable[Mapping[str, Any]] = trainer.train_dataset
    return [{name: value for name, value in row.items() if name in known} for row in rows]


def _class_labels(examples: Sequence[Example]) -> list[int] | None:
    """One class label per example; None unless all labels are integers."""
    labels = [example.get("labels", example.get("label")) for example in examples]
    classes = [label for label in labels if isinstance(label, int)]
    return classes if len(classes) == len(examples) else None
