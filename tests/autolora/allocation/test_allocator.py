"""Budgets are refused or met, and what an allocator returns is checked."""

import pytest

from autolora.adapters.budget import Budget
from autolora.adapters.projections import Projection
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import HEADROOM, check_allocation, highest_rank, in_proportion

LAYERS = (
    Projection("0.query", "query", 16, 16),
    Projection("0.value", "value", 16, 16),
    Projection("1.query", "query", 16, 16),
    Projection("1.up", "up", 48, 16),
)
COSTS = (32, 32, 32, 64)


@pytest.mark.parametrize(("budget", "message"), [
    (Budget(parameters=31), "31 parameters cannot be allocated: a rank of 1 in one layer takes 32"),
    (Budget(parameters=2561), "full rank of all 4 layers 2,560"),
    (Budget(mean_rank=0.1), "0 ranks cannot be allocated"),
    (Budget(mean_rank=17), "full rank of all 4 layers 64"),
])  # fmt: skip
def test_a_budget_that_no_ranks_can_meet_is_refused(budget: Budget, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        in_proportion(dict.fromkeys([each.name for each in LAYERS], 1.0), budget, LAYERS)
    with pytest.raises(ValueError, match=message):
        highest_rank(budget, LAYERS)


@pytest.mark.parametrize("ranks", [(0, 3, 1, 2), (5, 0, 0, 0), (1, 1, 1, 1)])
def test_ranks_that_meet_the_budget_are_returned_unchanged(ranks: tuple[int, ...]) -> None:
    truth = RankAllocation(LAYERS, ranks)
    assert in_proportion(truth.by_name(), Budget(parameters=truth.parameters), LAYERS) == truth


def test_ranks_keep_their_proportions_at_twice_the_budget() -> None:
    found = in_proportion(RankAllocation(LAYERS, (0, 3, 1, 2)).by_name(), Budget(parameters=512), LAYERS)
    assert found.ranks == (0, 6, 2, 4)


def test_a_budget_between_two_ranks_is_met_from_below() -> None:
    found = in_proportion(dict.fromkeys([each.name for each in LAYERS], 1.0), Budget(parameters=191), LAYERS)
    assert found.parameters == 160


def test_the_highest_rank_is_a_multiple_of_the_uniform_one_and_at_most_a_layers_own() -> None:
    assert highest_rank(Budget(parameters=2 * sum(COSTS)), LAYERS) == 2 * HEADROOM
    assert highest_rank(Budget(mean_rank=2), LAYERS) == 2 * HEADROOM
    assert highest_rank(Budget(parameters=10 * sum(COSTS)), LAYERS) == 16


def test_an_allocation_above_the_budget_is_refused_by_how_much() -> None:
    with pytest.raises(ValueError, match="'greedy' exceeds the budget by 32 parameters: 160 of 128"):
        check_allocation("greedy", RankAllocation.uniform(LAYERS, 1), LAYERS, Budget(parameters=128))
    with pytest.raises(ValueError, match="by 4 ranks: 8 of 4"):
        check_allocation("greedy", RankAllocation.uniform(LAYERS, 2), LAYERS, Budget(mean_rank=1))
    check_allocation("just right", RankAllocation.uniform(LAYERS, 1), LAYERS, Budget(parameters=160))


def test_layers_that_do_not_exist_and_layers_left_out_are_refused() -> None:
    other = (*LAYERS[:3], Projection("1.upp", "up", 48, 16))
    with pytest.raises(ValueError, match=r"'1\.upp', which is no layer; the nearest is '1\.up'"):
        check_allocation("lost", RankAllocation.uniform(other, 1), LAYERS, Budget(parameters=160))
    with pytest.raises(ValueError, match=r"gave no rank to '1\.up'"):
        check_allocation("lost", RankAllocation.uniform(LAYERS[:3], 1), LAYERS, Budget(parameters=160))
