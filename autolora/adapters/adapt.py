"""Wraps a problem's model in PEFT, with the same head and the same seeding for every method."""

from typing import TypedDict

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from torch import nn

from autolora.adapters.fused import split_fused
from autolora.adapters.layers import count, head_parameters
from autolora.compute.half_precision import train_in_float32
from autolora.problem import Problem


def fresh_model(problem: Problem) -> nn.Module:
    """A newly built model without adapters, whose fused query-key-value projections are split into modules.

    Torch is seeded from the problem before and after the model is built: a head that the builder draws without a seed
    of its own then depends on the problem's seed alone, and what is drawn afterwards does so even where the builder
    seeds torch itself.
    """
    torch.manual_seed(problem.seed)
    model = problem.build_model()
    split_fused(model)
    torch.manual_seed(problem.seed)
    return model


def adapt(problem: Problem, config: PeftConfig) -> PeftModel:
    """A fresh model with PEFT's modules, initialised from the seed; only these and the head are trainable, in float32."""
    model = fresh_model(problem)
    config.modules_to_save = present_heads(model, problem.head)
    adapted = get_peft_model(model, config)
    train_in_float32(adapted)
    return adapted


def present_heads(model: nn.Module, head: tuple[str, ...]) -> list[str]:
    """The names in head that occur in model, in head's order."""
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    return [name for name in head if name in names]


class TrainableCounts(TypedDict):
    """Numbers of trainable parameters."""

    trainable_parameters: int
    """Trainable parameters outside the head."""
    head_parameters: int
    """Trainable parameters of the head."""


def trainable_counts(model: nn.Module, head: tuple[str, ...]) -> TrainableCounts:
    """Count the parameters with `requires_grad`, outside and inside the head's modules."""
    in_head = count([weight for weight in head_parameters(model, head) if weight.requires_grad])
    in_all = count([weight for weight in model.parameters() if weight.requires_grad])
    return {"trainable_parameters": in_all - in_head, "head_parameters": in_head}
