"""The interface of rank allocators, and what every allocation is checked for before it is trained."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import ClassVar, Protocol

from autolora.adapters.budget import Budget, limit_of, ranks_within
from autolora.adapters.projections import Projection
from autolora.adapters.ranks import RankAllocation
from autolora.problem import Problem

HEADROOM = 4
"""A layer may get this many times the rank that it would have if all layers had the same."""


class Allocator(Protocol):
    """Distributes a budget of LoRA parameters over the layers of a problem's model."""

    title: ClassVar[str]
    """Name in reports."""

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """One rank per layer that `problem.targets` selects; all updates together stay within the budget."""
        ...


def highest_rank(budget: Budget, projections: Sequence[Projection]) -> int:
    """The rank that an allocator starts from: HEADROOM times the budget's uniform rank, at most the layers' own ranks.

    Args:
        budget: of all updates together.
        projections: the layers.

    Raises:
        ValueError: the budget has no room for one component, or exceeds the full rank of all layers.
    """
    check_budget(budget, projections)
    whole = sum(budget.cost(each) for each in projections)
    own = min(min(each.in_features, each.out_features) for each in projections)
    return max(1, min(own, -(-HEADROOM * limit_of(budget, projections) // whole)))


def check_budget(budget: Budget, projections: Sequence[Projection]) -> None:
    """Raises ValueError: the budget has no room for one component, or exceeds the full rank of all layers."""
    limit = limit_of(budget, projections)
    smallest = min(budget.cost(each) for each in projections)
    full = sum(min(each.in_features, each.out_features) * budget.cost(each) for each in projections)
    if not smallest <= limit <= full:
        raise ValueError(
            f"a budget of {limit:,} {budget.unit} cannot be allocated: a rank of 1 in one layer takes {smallest:,}, and the "
            f"full rank of all {len(projections)} layers {full:,}; choose a budget between them"
        )


def check_allocation(name: str, found: RankAllocation, projections: Sequence[Projection], budget: Budget) -> None:
    """Check what an allocator returned.

    Args:
        name: of the allocator, for the message.
        found: what it returned.
        projections: the layers of the problem's model.
        budget: what it was given.

    Raises:
        ValueError: a layer does not exist or is missing, or the budget is exceeded; the message says by how much.
    """
    known, given = [each.name for each in projections], [each.name for each in found.projections]
    for layer in given:
        if layer not in known:
            near = get_close_matches(layer, known, n=1, cutoff=0.0)[0]
            raise ValueError(f"allocator {name!r} gave a rank to {layer!r}, which is no layer; the nearest is {near!r}")
    if missing := [layer for layer in known if layer not in given]:
        raise ValueError(f"allocator {name!r} gave no rank to {missing[0]!r}; a layer without an update has rank 0")
    spent = sum(rank * budget.cost(each) for each, rank in zip(found.projections, found.ranks, strict=True))
    if (over := spent - limit_of(budget, projections)) > 0:
        raise ValueError(
            f"allocator {name!r} exceeds the budget by {over:,} {budget.unit}: {spent:,} of {spent - over:,}; lower its ranks"
        )


def in_proportion(
    weights: Mapping[str, float], budget: Budget, projections: Sequence[Projection], *, highest: int | None = None
) -> RankAllocation:
    """Ranks in proportion to weights, rounded so that the budget is met as nearly as possible from below.

    Component j = 1, 2, ... of a layer of weight w is worth w / (j - 1/2) (Webster's divisor method), and the components
    that are worth most are kept. Ranks that just fit the budget are returned unchanged.

    Args:
        weights: layer name -> weight, 0 or more.
        budget: of all updates together.
        projections: the layers.
        highest: maximum rank of a layer; None: the layers' own ranks.

    Raises:
        ValueError: as `highest_rank`.
    """
    check_budget(budget, projections)
    worth = {}
    for each in projections:
        own = min(each.in_features, each.out_features, highest or each.in_features)
        worth[each.name] = [weights[each.name] / (rank - 0.5) for rank in range(1, own + 1)]
    return RankAllocation.of(projections, ranks_within(budget, worth, projections))
