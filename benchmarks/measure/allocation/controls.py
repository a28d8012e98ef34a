"""Controls that need more than a problem: the planted ranks themselves, and ranks shuffled over the layers."""

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from autolora.adapters.budget import Budget
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import Allocator, in_proportion
from autolora.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """The planted ranks, in proportion where the budget is another."""

    title: ClassVar[str] = "oracle"

    truth: RankAllocation

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:  # noqa: ARG002  as of all allocators
        """Needs no problem, since it knows the ranks."""
        return in_proportion(self.truth.by_name(), budget, self.truth.projections)


@dataclass(frozen=True, kw_only=True)
class Shuffled:
    """The ranks of another allocator, shuffled over layers of the same size, so that the parameters stay the same."""

    title: ClassVar[str] = "shuffled"

    of: Allocator

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Allocate, then shuffle by the problem's seed."""
        found = self.of.allocate(problem, budget)
        places = defaultdict(list)
        for place, each in enumerate(found.projections):
            places[each.lora_parameters(1)].append(place)
        rng, ranks = random.Random(f"shuffled ranks/{problem.seed}"), list(found.ranks)
        for alike in places.values():
            drawn = [ranks[place] for place in alike]
            rng.shuffle(drawn)
            for place, rank in zip(alike, drawn, strict=True):
                ranks[place] = rank
        return RankAllocation(found.projections, tuple(ranks))
