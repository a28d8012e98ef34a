"""The same rank in every layer: plain LoRA (arXiv:2106.09685)."""

from dataclasses import dataclass
from typing import ClassVar

from autolora.adapters.adapt import projections_of
from autolora.adapters.budget import Budget, ranks_within
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import check_budget
from autolora.problem import Problem

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Ranks that differ by at most 1; what remains of the budget goes to layers that are spread over the depth."""

    title: ClassVar[str] = "uniform"

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """The ranks that the budget has room for."""
        projections = projections_of(problem)
        check_budget(budget, projections)
        worth = {
            each.name: [-(rank + place * _GOLDEN % 1) for rank in range(min(each.in_features, each.out_features))]
            for place, each in enumerate(projections)
        }
        return RankAllocation.of(projections, ranks_within(budget, worth, projections))


ALLOCATOR = Uniform
