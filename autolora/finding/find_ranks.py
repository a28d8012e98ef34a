"""LoRA ranks for a model: from a `peft.LoraConfig` to one with ranks, with a Trainer or without."""

import copy
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from peft import LoraConfig
from torch import nn
from tqdm.auto import tqdm

from autolora.adapters.budget import Budget, ranks_within
from autolora.adapters.head import present_heads
from autolora.adapters.ranks import RankAllocation, Scaling
from autolora.allocation.autolora_budget import AutoLoraBudget
from autolora.compute.runtime import Progress
from autolora.finding.checkpoints import checkpoint_folder
from autolora.finding.found_ranks import FoundRanks
from autolora.finding.requested import (
    accepted_by_trainer,
    refuse_unsupported,
    suitable,
    targets_of,
    with_rank_of,
    with_ranks,
)
from autolora.finding.sharing import sharing_copy
from autolora.problem import Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.result import SearchResult
from autolora.rank_search.search import search
from autolora.trainer import class_labels, examples_of, problem_of, training_config_of, with_checkpointing
from autolora.training.batches import IGNORED

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer, TrainingArguments


def find_ranks(
    model_init: Callable[[], nn.Module],
    train_dataset: Any,
    *,
    lora_config: LoraConfig,
    data_collator: Callable[[list[Any]], dict[str, Any]] | None = None,
    eval_dataset: Any = None,
    compute_loss_func: Callable[..., Any] | None = None,
    args: "TrainingArguments | None" = None,
    settings: SearchConfig | AutoLoraBudget | None = None,
    budget: Budget | None = None,
    scaling: Scaling = "by-rank",
) -> FoundRanks:
    """Learn a LoRA rank for each layer that lora_config selects (AutoLoRA, arXiv:2403.09113).

    Args:
        model_init: returns the pretrained model with the same weights at every call.
        train_dataset: tokenised examples, as for `transformers.Trainer`.
        lora_config: `r` is the maximum rank k; what is not searched is carried over to the result. Without
            `target_modules`, query and value projections are adapted.
        data_collator: as for `Trainer`, with the same default.
        eval_dataset: D_val, on which the selection variables are learned; None splits half of train_dataset off.
        compute_loss_func: as for `Trainer`; by default the model's own loss.
        args: learning_rate, num_train_epochs or max_steps, batch size, gradient accumulation, warm-up, max_grad_norm,
            bf16, gradient_checkpointing and seed of the search; by default those of section 5.1. Unless save_strategy
            is "no", output_dir has a checkpoint of `SearchConfig`'s search, from which the same call continues it.
        settings: of the search itself; `max_rank`, `lora_alpha` and `training` are replaced by those of lora_config and
            args. By default `SearchConfig`, which is the paper's Algorithm 1, or `AutoLoraBudget` with a budget.
        budget: the size of all updates together, over which all layers compete; by default each layer keeps the
            components with a selection variable of at least 1/k (section 4.4).
        scaling: "by-rank" scales layer l by lora_alpha / r_l, as the authors do; "constant" scales all layers alike.

    Returns:
        `lora_config` for `get_peft_model(model_init(), ...)`, and what the search learned.

    Raises:
        ValueError: lora_config, args or the data ask for something that a search cannot do; the message says what to
            change.
    """
    from transformers import Trainer  # noqa: PLC0415  slow to import

    with tempfile.TemporaryDirectory() as folder:
        args = args or _default_arguments(folder)
        torch.manual_seed(args.seed)  # for a head that model_init draws without a seed of its own
        model = suitable(model_init())
        with accepted_by_trainer(model):
            trainer = Trainer(
                cast("PreTrainedModel", model),
                args,
                train_dataset=train_dataset,
                data_collator=data_collator,
                compute_loss_func=compute_loss_func,
            )
        return find_ranks_for(
            trainer,
            lora_config=lora_config,
            eval_dataset=eval_dataset,
            settings=settings,
            budget=budget,
            scaling=scaling,
        )


def find_ranks_for(
    trainer: "Trainer",
    *,
    lora_config: LoraConfig,
    eval_dataset: Any = None,
    settings: SearchConfig | AutoLoraBudget | None = None,
    budget: Budget | None = None,
    scaling: Scaling = "by-rank",
) -> FoundRanks:
    """As `find_ranks`, for a Trainer before its training, which is left unchanged.

    Model, training set, collator, columns, loss, device and all of `args` that `find_ranks` lists are the Trainer's. Its
    own `eval_dataset` is not used unless it is passed.

    Args:
        trainer: with the model that is to be adapted, without adapters.
        lora_config: as of `find_ranks`.
        eval_dataset: as of `find_ranks`.
        settings: as of `find_ranks`.
        budget: as of `find_ranks`.
        scaling: as of `find_ranks`.
    """
    refuse_unsupported(lora_config)
    named = tuple(lora_config.modules_to_save) if lora_config.modules_to_save else None
    default = SearchConfig() if budget is None else AutoLoraBudget()
    config = with_rank_of(lora_config, replace(settings or default, training=training_config_of(trainer)))
    model = suitable(cast("nn.Module", trainer.model))
    head = tuple(present_heads(model, named))
    targets = targets_of(lora_config, model, head)
    trains_all = isinstance(config, SearchConfig) and config.trainable == "all"
    build = partial(_copy, trainer, head, whole=trains_all)
    problem = problem_of(trainer, build, head=head, targets=targets)
    valid = None if eval_dataset is None else examples_of(trainer, eval_dataset)
    _check_labels(problem.strata, None if valid is None else class_labels(valid))
    folder = None
    if isinstance(config, SearchConfig):  # AutoLoraBudget has no checkpoints
        folder = checkpoint_folder(trainer.args, problem, config, model, valid)
    with tqdm(desc="search", disable=trainer.args.disable_tqdm) as bar:
        runtime = replace(problem.runtime, progress=partial(_show, bar), checkpoints=folder)
        found, ranks = _found(replace(problem, runtime=runtime), config, budget, valid)
    if folder and problem.runtime.team.leads:
        shutil.rmtree(folder, ignore_errors=True)  # the result is complete: nothing is left to continue
    allocation = RankAllocation.of(found.projections, ranks)
    asked = with_ranks(lora_config, allocation, scaling, head)
    asked.base_model_name_or_path = asked.base_model_name_or_path or vars(model).get("name_or_path") or None
    return FoundRanks(lora_config=asked, search=found, ranks=ranks)


def _found(
    problem: Problem, settings: SearchConfig | AutoLoraBudget, budget: Budget | None, valid: Sequence[Example] | None
) -> tuple[SearchResult, dict[str, int]]:
    """What a search found, and the ranks within the budget if there is one."""
    if isinstance(settings, AutoLoraBudget):
        if budget is None:
            raise ValueError("AutoLoraBudget allocates a budget: give one, such as budget=Budget(mean_rank=4)")
        found = settings.search(problem, budget, valid=valid)
        return found, dict(found.ranks)
    found = search(problem, settings, valid=valid)
    if budget is None:
        return found, dict(found.ranks)
    return found, ranks_within(budget, found.selection, found.projections)


def _show(bar: "tqdm[Any]", progress: Progress) -> None:
    bar.total = progress.steps
    bar.update(progress.step - bar.n)


def _copy(trainer: "Trainer", head: Sequence[str], *, whole: bool) -> nn.Module:
    """A copy of a trainer's model for the search, which shares the weights that are not trained, unless all are."""
    model = trainer.model
    assert isinstance(model, nn.Module)
    copied = copy.deepcopy(model) if whole else sharing_copy(model, head)
    return with_checkpointing(copied, trainer)


def _check_labels(train: Sequence[int] | None, valid: Sequence[int] | None) -> None:
    """Raises ValueError: a class label is negative, or D_val has a single class where the training set has several.

    Args:
        train: class labels of the training set; None if its labels are no classes.
        valid: likewise of a D_val that the caller chose.
    """
    smallest = min((label for label in (*(train or ()), *(valid or ())) if label != IGNORED), default=0)
    if smallest < 0:
        raise ValueError(f"class labels are 0 or more; got {smallest}, which marks unlabelled examples: leave them out")
    if train and valid and len({*valid}) == 1 < len({*train}):
        raise ValueError(f"all {len(valid)} examples of eval_dataset have label {valid[0]}: D_val needs every class")


def _default_arguments(folder: str) -> "TrainingArguments":
    """Arguments of section 5.1 for the weights of a search."""
    from transformers import TrainingArguments  # noqa: PLC0415  slow to import

    default = SearchConfig().training
    return TrainingArguments(
        folder,
        learning_rate=default.lr,
        num_train_epochs=default.epochs,
        per_device_train_batch_size=default.batch_size,
        warmup_steps=default.warmup,
        weight_decay=default.weight_decay,
        max_grad_norm=default.clip_norm or 0.0,
        report_to="none",
        save_strategy="no",
    )
