"""Truncation: LoRA is trained at a high rank, and the singular values of all updates meet one global threshold.

In the manner of PARA (a prune-after-training allocation; its text was not at hand, so that details may differ): the
update of layer l is D_l = s B_l A_l, and the components with the largest singular values of all layers are kept.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from autolora.adapters.adapt import adapt, projections_of
from autolora.adapters.budget import Budget, ranks_within
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import highest_rank
from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from autolora.training.train import train


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """Costs one LoRA training, at a higher rank."""

    title: ClassVar[str] = "truncation"

    lora_alpha: float = 16
    """LoRA's scaling is lora_alpha / highest rank."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Train, then cut at the singular value that the budget allows."""
        projections = projections_of(problem)
        highest = highest_rank(budget, projections)
        start = RankAllocation.uniform(projections, highest)
        model = adapt(problem, start.to_lora_config(split=True, lora_alpha=self.lora_alpha))
        train(model, problem, self.training, stage="allocation")
        worth = {}
        for each in projections:
            layer: Any = model.get_submodule(f"base_model.model.{each.name}")
            update = layer.get_delta_weight("default")
            worth[each.name] = torch.linalg.svdvals(update.detach())[:highest].tolist()
        return RankAllocation.of(projections, ranks_within(budget, worth, projections))


ALLOCATOR = Truncation
