"""Random ranks: each component of the budget goes to a layer drawn by the problem's seed."""

import random
from dataclasses import dataclass
from typing import ClassVar

from autolora.adapters.adapt import projections_of
from autolora.adapters.budget import Budget, ranks_within
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import highest_rank
from autolora.problem import Problem


@dataclass(frozen=True, kw_only=True)
class RandomRanks:
    """The control for allocators that choose among the components of all layers."""

    title: ClassVar[str] = "random"

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Ranks of 0 to the highest rank that other allocators start from."""
        projections = projections_of(problem)
        rng, highest = random.Random(f"random ranks/{problem.seed}"), highest_rank(budget, projections)
        worth = {each.name: [rng.random() for _ in range(highest)] for each in projections}
        return RankAllocation.of(projections, ranks_within(budget, worth, projections))


ALLOCATOR = RandomRanks
