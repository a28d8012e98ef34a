"""Wraps a problem's model in PEFT: the same head, the same initial values and the same order for every method."""

from typing import TypedDict

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from torch import nn

from autolora.adapters.fused import split_fused
from autolora.adapters.layers import count, head_parameters
from autolora.problem import Problem


def fresh_model(problem: Problem) -> nn.Module:
    """A fresh model whose query and value projections are modules of their own, fused ones split."""
    model = problem.build_model()
    split_fused(model)
    return model


def adapt(problem: Problem, config: PeftConfig) -> PeftModel:
    """A fresh model with PEFT's modules attached, seeded; these and the head are trainable, all else is frozen."""
    model = fresh_model(problem)
    config.modules_to_save = present_heads(model, problem.head)
    torch.manual_seed(problem.seed)
    return get_peft_model(model, config)


def present_heads(model: nn.Module, head: tuple[str, ...]) -> list[str]:
    """Those of the head's names that model has, in the head's order."""
    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    return [name for name in head if name in names]


class TrainableCounts(TypedDict):
    """How many numbers are trained."""

    trainable_parameters: int
    """The head left out."""
    head_parameters: int


def trainable_counts(model: nn.Module, head: tuple[str, ...]) -> TrainableCounts:
    """Count what `requires_grad`, inside and outside the head's modules."""
    in_head = count([weight for weight in head_parameters(model, head) if weight.requires_grad])
    in_all = count([weight for weight in model.parameters() if weight.requires_grad])
    return {"trainable_parameters": in_all - in_head, "head_parameters": in_head}
