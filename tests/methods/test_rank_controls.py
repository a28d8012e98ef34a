from collections import Counter
from statistics import mean

import pytest

from benchmarks.methods.lora_learned_ranks import Allocation, allocate

LEARNED = [1, 4, 2, 8, 3, 5, 3, 4, 2, 2]


@pytest.mark.parametrize("allocation", ["learned", "shuffled", "random", "uniform"])
def test_every_allocation_has_the_same_total_and_follows_from_the_seed(allocation: Allocation) -> None:
    for seed in range(20):
        ranks = allocate(allocation, LEARNED, 8, seed=seed)
        assert len(ranks) == len(LEARNED)
        assert sum(ranks) == sum(LEARNED)
        assert all(0 <= rank <= 8 for rank in ranks)
        assert ranks == allocate(allocation, LEARNED, 8, seed=seed)


def test_shuffled_ranks_are_a_permutation_of_the_learned_ones() -> None:
    drawn = [allocate("shuffled", LEARNED, 8, seed=seed) for seed in range(200)]
    assert all(Counter(ranks) == Counter(LEARNED) for ranks in drawn)
    assert mean(ranks[3] for ranks in drawn) == pytest.approx(mean(LEARNED), abs=0.5)


def test_uniform_ranks_differ_by_one_at_most_and_the_remainder_falls_anywhere() -> None:
    drawn = [allocate("uniform", LEARNED, 8, seed=seed) for seed in range(200)]
    assert all(set(ranks) == {3, 4} and ranks.count(4) == 4 for ranks in drawn)
    assert mean(ranks[0] for ranks in drawn) == pytest.approx(3.4, abs=0.1)


def test_random_ranks_treat_all_projections_alike() -> None:
    drawn = [allocate("random", LEARNED, 8, seed=seed) for seed in range(400)]
    for index in range(len(LEARNED)):
        assert mean(ranks[index] for ranks in drawn) == pytest.approx(mean(LEARNED), abs=0.3)
    assert len({tuple(ranks) for ranks in drawn}) > 390
