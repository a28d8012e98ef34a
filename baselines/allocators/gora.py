"""GoRA (arXiv:2502.12171): ranks in proportion to a layer's importance at the first gradients, clamped.

The importance of a layer is the mean over its weights of |W * dL/dW|. Its share of the sum of all importances, divided
by sqrt(m + n), is its share of the ranks. As we understand the paper; its text was not at hand to verify the formula
of the shares. Deviations: the budget is met as nearly as possible from below; the upper clamp is that of all allocators
here, and there is no lower one; only the ranks are taken, not GoRA's initial values.
"""

from dataclasses import dataclass
from typing import ClassVar

from autolora.adapters.adapt import projections_of
from autolora.adapters.budget import Budget
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import highest_rank, in_proportion
from autolora.allocation.gradients import weight_gradients
from autolora.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Gora:
    """Costs a few backward passes."""

    title: ClassVar[str] = "GoRA"

    batches: int = 16
    """Over which the gradient is averaged."""
    batch_size: int = 16
    """Examples per batch."""

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Ranks in proportion to the importance per sqrt(m + n)."""
        projections = projections_of(problem)
        found = weight_gradients(problem, projections, batches=self.batches, batch_size=self.batch_size)
        weights = {
            each.name: float((weight * gradient).abs().mean()) / each.lora_parameters(1) ** 0.5
            for each, weight, gradient in found
        }
        return in_proportion(weights, budget, projections, highest=highest_rank(budget, projections))


ALLOCATOR = Gora
