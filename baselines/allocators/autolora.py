"""AutoLoRA as published (arXiv:2403.09113, Algorithm 1 and section 4.4), its ranks fitted to a budget.

The published threshold decides the sum of the ranks; they are then scaled in proportion until the budget is met.
`by_variables` keeps the components with the largest selection variables of all layers instead, without a threshold.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from autolora.adapters.adapt import projections_of
from autolora.adapters.budget import Budget, ranks_within
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import highest_rank, in_proportion
from autolora.problem import Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class AutoLora:
    """A rank search, of as many steps as the training that follows."""

    title: ClassVar[str] = "AutoLoRA"

    parameterisation: str = "softmax"
    """Selection logits -> selection variables."""
    by_variables: bool = False
    """Whether the budget, not the threshold, decides which components are kept."""
    selection_lr: float = 1e-3
    """AdamW step size of the selection logits (section 5.1)."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Search with the highest rank in every layer, then cut to the budget."""
        projections = projections_of(problem)
        highest = highest_rank(budget, projections)
        config = SearchConfig(
            max_rank=highest,
            parameterisation=self.parameterisation,
            selection_lr=self.selection_lr,
            training=self.training,
            record_every=self.training.steps or 10,
        )
        found = search(problem, config)
        if self.by_variables:
            return RankAllocation.of(projections, ranks_within(budget, found.selection, projections))
        return in_proportion(found.ranks, budget, projections, highest=highest)


ALLOCATOR = AutoLora
