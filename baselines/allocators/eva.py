"""EVA (arXiv:2410.07170) through PEFT: ranks by the share of variance of a layer's inputs that a component explains.

The ranks are those of PEFT's own `initialize_lora_eva_weights` at the budget's uniform rank, rounded up, and `rho`; where
the budget lies between two uniform ranks, they are scaled in proportion. Only the ranks are taken, not the initial
values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from peft import EvaConfig, LoraConfig, PeftModel, get_peft_model, initialize_lora_eva_weights
from torch import Tensor

from autolora.adapters.adapt import fresh_model, projections_of
from autolora.adapters.budget import Budget, limit_of
from autolora.adapters.ranks import RankAllocation, exact_targets
from autolora.allocation.allocator import check_budget, in_proportion
from autolora.problem import Batch, Problem
from autolora.training.batch_order import batch_order
from autolora.training.batches import gather


@dataclass(frozen=True, kw_only=True)
class Eva:
    """Costs forward passes only."""

    title: ClassVar[str] = "EVA"

    rho: float = 2.0
    """A layer may get rho times the uniform rank; EVA's default."""
    batch_size: int = 16
    """Examples per batch of the incremental singular value decomposition."""

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """PEFT's ranks, cut to the budget."""
        projections = projections_of(problem)
        check_budget(budget, projections)
        whole = sum(1 if budget.parameters is None else each.lora_parameters(1) for each in projections)
        rank = -(-limit_of(budget, projections) // whole)
        names = [each.name for each in projections]
        config = LoraConfig(
            r=rank,
            target_modules=exact_targets(names, names, confused=any(each.is_end for each in projections)),
            init_lora_weights="eva",
            eva_config=EvaConfig(rho=self.rho, use_label_mask=False),
        )
        model = get_peft_model(fresh_model(problem).to(problem.runtime.device), config, low_cpu_mem_usage=True)
        initialize_lora_eva_weights(
            model, self.batches(problem), forward_fn=_forward(problem), prepare_model_inputs_fn=None,
            prepare_layer_inputs_fn=_all_tokens, show_progress_bar=False,
        )  # fmt: skip
        return in_proportion(peft_ranks(model, names), budget, projections)

    def batches(self, problem: Problem) -> list[Batch]:
        """All batches of one epoch, for PEFT's data loader."""
        order = batch_order(problem.train, self.batch_size, seed=problem.seed, stream="allocation")
        return [gather(problem, problem.train, order.batch(index)) for index in range(order.steps_per_epoch)]


def peft_ranks(model: PeftModel, names: list[str]) -> Mapping[str, int]:
    """Layer name -> the rank that PEFT gave it; 0 for a layer from which PEFT removed the adapter."""
    modules = dict(model.base_model.model.named_modules())
    return {name: getattr(modules[name], "r", {}).get("default", 0) for name in names}


def _all_tokens(layer_input: Any, batch: Batch, _: str) -> Tensor:
    """The inputs of a layer at all tokens but padding, shape (tokens, n)."""
    rows: Tensor = layer_input[0] if isinstance(layer_input, tuple) else layer_input
    mask = batch.get("attention_mask")
    return rows.flatten(0, -2) if mask is None or rows.shape[:-1] != mask.shape else rows[mask.bool()]


def _forward(problem: Problem) -> Any:
    def forward(model: Any, batch: Batch) -> None:
        with torch.no_grad():
            problem.loss(model, batch)

    return forward


ALLOCATOR = Eva
