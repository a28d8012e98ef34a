"""A search for users of `transformers.Trainer`: the trainer says what to adapt, and to what."""

import copy
import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Problem


def problem_from_trainer(
    trainer: Any, *, head: tuple[str, ...] = ("classifier", "score"), targets: tuple[str, str] | None = None
) -> Problem:
    """The problem that a trainer is about to solve, for `search`; the trainer and its model stay as they are.

    Taken over are the model (`model_init`, or a copy of `model`), the training set, the collator, the loss
    (`compute_loss`), the seed, the device and bf16. D_val is split off the training set; the trainer's evaluation set
    is not looked at. Class labels are the strata of that split.

    Args:
        trainer: a `transformers.Trainer`, not yet trained.
        head: as in `Problem`.
        targets: as in `Problem`.

    Raises:
        ValueError: the trainer has no training set.
    """
    if trainer.train_dataset is None:
        raise ValueError("the trainer has no train_dataset: there is nothing to search on")
    build_model = trainer.model_init or partial(copy.deepcopy, copy.deepcopy(trainer.model).cpu())
    known = {"label", "label_ids", "labels", *inspect.signature(trainer.model.forward).parameters}
    rows: Iterable[Mapping[str, Any]] = trainer.train_dataset
    train = [{name: value for name, value in row.items() if name in known} for row in rows]
    labels = [row.get("labels", row.get("label")) for row in train]
    classes = [label for label in labels if isinstance(label, int)]

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        value: Tensor = trainer.compute_loss(model, dict(batch))
        return value

    def collate(examples: Any) -> Mapping[str, Tensor]:
        return dict(trainer.data_collator(list(examples)))

    return Problem(
        build_model=build_model,
        train=train,
        collate=collate,
        loss=loss,
        head=head,
        targets=targets,
        strata=classes if len(classes) == len(train) else None,
        seed=trainer.args.seed,
        runtime=Runtime(device=str(trainer.args.device), precision="bf16" if trainer.args.bf16 else "fp32"),
    )
