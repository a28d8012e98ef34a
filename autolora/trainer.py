"""A search for users of `transformers.Trainer`: the trainer provides the model and the training set."""

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from math import ceil
from typing import Any, cast

from torch import Tensor, nn
from torch.utils.data import IterableDataset

from autolora.adapters.head import find_head
from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Example, Problem, Targets
from autolora.training.config import TrainingConfig
from autolora.training.cuda_graphs import uses_gradient_checkpointing
from autolora.training.micro_batches import HuggingFaceDenominator


def problem_from_trainer(
    trainer: Any, *, head: tuple[str, ...] | None = None, targets: Targets | None = None
) -> Problem:
    """The problem that a trainer is about to solve, for `search`; the trainer and its model are left unchanged.

    The problem has the trainer's model (`model_init`, or a copy of `model`), training set, collator, loss
    (`compute_loss`), seed, device and bf16. D_val is split off the training set, with class labels as strata; the
    trainer's evaluation set is not used. Of a streamed training set, the problem has the examples that `max_steps`
    take.

    Args:
        trainer: a `transformers.Trainer` before its training.
        head: as in `Problem`.
        targets: as in `Problem`.

    Raises:
        ValueError: the trainer has no training set, or its model's head must be named.
    """
    return problem_of(trainer, _builder(trainer), head=head, targets=targets)


def problem_of(
    trainer: Any, build_model: Callable[[], nn.Module], *, head: tuple[str, ...] | None, targets: Targets | None = None
) -> Problem:
    """As `problem_from_trainer`, with a model from elsewhere: `build_model` is that of the problem."""
    if trainer.train_dataset is None:
        raise ValueError("the trainer has no train_dataset: there is nothing to search on")

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        value: Tensor = trainer.compute_loss(model, dict(batch))
        return value

    if trainer.args.fp16:
        raise ValueError("fp16=True needs loss scaling, which the search does not do: set bf16=True, or neither")
    train = examples_of(trainer, trainer.train_dataset)
    return Problem(
        build_model=build_model,
        train=train,
        collate=lambda examples: dict(trainer.data_collator(list(examples))),
        loss=loss,
        loss_denominator=HuggingFaceDenominator(trainer.model, loss) if _has_the_usual_loss(trainer) else None,
        head=find_head(trainer.model) if head is None else head,  # a copy does not show it
        targets=targets,
        strata=class_labels(train),
        seed=trainer.args.seed,
        runtime=Runtime(device=str(trainer.args.device), precision="bf16" if trainer.args.bf16 else "fp32"),
    )


def training_config_of(trainer: Any) -> TrainingConfig:
    """How a trainer's arguments train weights: length, batches, learning rate, warm-up, decay and clipping.

    A schedule that is not constant is taken as linear, and AdamW's betas and epsilon are the usual ones.
    """
    args = trainer.args
    batch_size = args.train_batch_size * args.gradient_accumulation_steps
    config = TrainingConfig(
        lr=args.learning_rate,
        epochs=args.num_train_epochs,
        steps=args.max_steps if args.max_steps > 0 else None,
        batch_size=batch_size,
        micro_batches=args.gradient_accumulation_steps,
        weight_decay=args.weight_decay,
        schedule="constant" if "constant" in args.lr_scheduler_type.value else "linear",
        clip_norm=args.max_grad_norm or None,
    )
    if args.warmup_steps < 1:
        return replace(config, warmup=args.warmup_steps)
    examples = len(trainer.train_dataset) if hasattr(trainer.train_dataset, "__len__") else 1
    return replace(config, warmup=min(0.99, args.warmup_steps / config.total_steps(ceil(examples / batch_size))))


def _has_the_usual_loss(trainer: Any) -> bool:
    """Whether the loss is a mean as transformers computes it: by the model or by label smoothing, not by the user."""
    from transformers import Trainer  # noqa: PLC0415  slow to import

    return type(trainer).compute_loss is Trainer.compute_loss and trainer.compute_loss_func is None


def _builder(trainer: Any) -> Callable[[], nn.Module]:
    """Builds the trainer's model; `model_init` may take a trial, of which there is none outside of tuning."""
    kept = None if trainer.model_init else copy.deepcopy(trainer.model).cpu()

    def build() -> nn.Module:
        model: Any = trainer.call_model_init() if kept is None else copy.deepcopy(kept)
        return with_checkpointing(model, trainer)

    return build


def with_checkpointing(model: Any, trainer: Any) -> nn.Module:
    """The model, with gradient checkpointing where its trainer asks for it, or the model has it.

    It is the non-reentrant kind: the reentrant one has no gradients by given tensors, which a search takes.
    """
    if trainer.args.gradient_checkpointing or uses_gradient_checkpointing(model):
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return cast("nn.Module", model)


def examples_of(trainer: Any, dataset: Any) -> list[Example]:
    """The rows of a data set, with the columns that the trainer keeps: by default labels and model arguments."""
    rows = _rows(dataset, trainer.args)
    if not trainer.args.remove_unused_columns:
        return [dict(row) for row in rows]
    known = {"label", "label_ids", *trainer.label_names, *inspect.signature(trainer.model.forward).parameters}
    return [{name: value for name, value in row.items() if name in known} for row in rows]


def _rows(dataset: Any, arguments: Any) -> Iterable[Mapping[str, Any]]:
    """Each row once, read as a `DataLoader` reads it: by index up to the length, or else from a stream.

    A data set need not end when a loop passes its length: its index may wrap, or raise something else than IndexError.
    """
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__"):
        return islice(dataset, _streamed(dataset, arguments))
    return (dataset[index] for index in range(len(dataset)))


def _streamed(dataset: Any, arguments: Any) -> int:
    """Number of examples to read from a stream: its length, or else as many as all of the trainer's steps take.

    Raises:
        ValueError: neither the stream nor `max_steps` says where it ends.
    """
    if hasattr(dataset, "__len__"):
        return len(dataset)
    if arguments.max_steps <= 0:
        raise ValueError(f"a streamed train_dataset has no length: set max_steps; got {arguments.max_steps}")
    per_step = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
    return int(arguments.max_steps * per_step)


def class_labels(examples: Sequence[Example]) -> list[int] | None:
    """One class label per example; None unless all labels are integers: Python's, numpy's, or tensors of one number."""
    labels = [example.get("labels", example.get("label")) for example in examples]
    values = [label.item() if getattr(label, "ndim", None) == 0 else label for label in labels]
    classes = [value for value in values if isinstance(value, int)]
    return classes if len(classes) == len(examples) else None
