"""Wraps a problem's model in PEFT, with the same head and the same seeding for every method."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from torch import nn

from autolora.adapters.fused import split_fused
from autolora.adapters.head import present_heads
from autolora.adapters.layers import count, head_parameters
from autolora.adapters.projections import Projection, find_projections
from autolora.compute.half_precision import train_in_float32
from autolora.problem import Problem, keep_head


def projections_of(problem: Problem) -> tuple[Projection, ...]:
    """The layers of the problem's model that `problem.targets` selects."""
    model = fresh_model(replace(problem, fit_head=keep_head))
    return find_projections(model, problem.targets, present_heads(model, problem.head))


def fresh_model(problem: Problem) -> nn.Module:
    """As `seeded_model`, with fused query-key-value projections split into modules, as by `split_fused`."""
    model = seeded_model(problem)
    split_fused(model, problem.targets)
    return model


def seeded_model(problem: Problem) -> nn.Module:
    """A newly built model without adapters, its head fitted by the problem's `fit_head`.

    Torch is seeded from the problem before and after the model is built: a head that the builder draws without a seed
    of its own then depends on the problem's seed alone, and what is drawn afterwards does so even where the builder
    seeds torch itself.
    """
    torch.manual_seed(problem.seed)
    model = problem.build_model()
    problem.fit_head(model, problem.train)
    torch.manual_seed(problem.seed)
    return model


def adapt(problem: Problem, config: PeftConfig) -> PeftModel:
    """A fresh model with PEFT's modules, initialised from the seed; only these and the head are trainable, in float32."""
    model = fresh_model(problem)
    config.modules_to_save = present_heads(model, problem.head)
    adapted = get_peft_model(model, config)
    train_in_float32(adapted)
    return adapted


class TrainableCounts(TypedDict):
    """Numbers of trainable parameters."""

    trainable_parameters: int
    """Trainable parameters outside the head."""
    head_parameters: int
    """Trainable parameters of the head."""


def trainable_counts(model: nn.Module, head: Sequence[str] | None = None) -> TrainableCounts:
    """Count the parameters with `requires_grad`, outside and inside the head's modules.

    Args:
        model: after training.
        head: names of the head's modules; None: the `modules_to_save` of a PEFT model.
    """
    if head is None:
        assert isinstance(model, PeftModel)
        head = model.peft_config["default"].modules_to_save or ()
    in_head = count([weight for weight in head_parameters(model, head) if weight.requires_grad])
    in_all = count([weight for weight in model.parameters() if weight.requires_grad])
    return {"trainable_parameters": in_all - in_head, "head_parameters": in_head}
