"""First-order saliency, a cheap control: the singular values of the loss's gradient by each layer, before training.

An update of rank r and of a small norm lowers the loss at first order by at most that norm times the root of the sum of
the r largest squared singular values of the gradient; component j of a layer is therefore worth the square of
singular value j, per parameter.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from autolora.adapters.adapt import projections_of
from autolora.adapters.budget import Budget, ranks_within
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import highest_rank
from autolora.allocation.gradients import weight_gradients
from autolora.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Saliency:
    """Costs a few backward passes."""

    title: ClassVar[str] = "saliency"

    batches: int = 16
    """Over which the gradient is averaged."""
    batch_size: int = 16
    """Examples per batch."""

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Keep the components of all layers that are worth most."""
        projections = projections_of(problem)
        highest = highest_rank(budget, projections)
        found = weight_gradients(problem, projections, batches=self.batches, batch_size=self.batch_size)
        worth = {
            each.name: (torch.linalg.svdvals(gradient)[:highest].square() / each.lora_parameters(1)).tolist()
            for each, _, gradient in found
        }
        return RankAllocation.of(projections, ranks_within(budget, worth, projections))


ALLOCATOR = Saliency
