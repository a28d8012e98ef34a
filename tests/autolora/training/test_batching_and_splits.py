import random
from collections import Counter

import pytest

from autolora.training.batch_order import BatchOrder
from autolora.training.splits import stratified_split

LENGTHS = [5 + (i * 37) % 55 for i in range(1003)]


def order(**changes: object) -> BatchOrder:
    return BatchOrder(LENGTHS, **{"batch_size": 8, "seed": 0, "stream": "train", **changes})  # type: ignore[arg-type]


def epoch(batches: BatchOrder, number: int = 0) -> list[list[int]]:
    return [batches.batch(number * batches.steps_per_epoch + step) for step in range(batches.steps_per_epoch)]


def test_an_epoch_shows_every_example_once() -> None:
    assert sorted(index for batch in epoch(order(), 3) for index in batch) == list(range(1003))
    assert order().steps_per_epoch == 126


def test_any_step_can_be_asked_for_first() -> None:
    assert order().batch(500) == [order().batch(step) for step in range(501)][500]


def test_epochs_seeds_and_streams_differ() -> None:
    first = epoch(order())
    assert first != epoch(order(), 1)
    assert first != epoch(order(seed=1))
    assert first != epoch(order(stream="valid"))
    assert first == epoch(order())


def test_batches_of_similar_length_need_little_padding() -> None:
    def padded(batches: list[list[int]]) -> int:
        return sum(len(batch) * max(LENGTHS[i] for i in batch) for batch in batches)

    shuffled = random.Random(0).sample(range(1003), 1003)
    unsorted = [shuffled[i : i + 8] for i in range(0, 1003, 8)]
    assert padded(epoch(order())) < 1.05 * sum(LENGTHS)
    assert padded(unsorted) > 1.5 * sum(LENGTHS)


def test_long_and_short_batches_come_in_random_order() -> None:
    longest = [max(LENGTHS[i] for i in batch) for batch in epoch(order())]
    assert longest != sorted(longest)


def test_few_lengths_hold_every_batch_and_cost_little() -> None:
    lengths = list(range(1, 513))
    singles = BatchOrder(lengths, 1, seed=0, stream="train")
    padded = {lengths[singles.batch(step)[0]]: singles.length(step) for step in range(512)}
    assert len(set(padded.values())) == 20
    assert all(length <= padded[length] < length + 8 for length in range(1, 65))
    assert all(length <= padded[length] < 1.25 * length for length in range(32, 513))


def test_no_batch_is_padded_beyond_the_longest_example() -> None:
    assert {order().length(step) for step in range(126)} == {8, 16, 24, 32, 40, 48, 56, 59}


@pytest.mark.parametrize("number", [1, 7, 20, 126, 500])
def test_typical_steps_have_the_mean_length_of_an_epoch(number: int) -> None:
    batches = order()
    chosen = batches.typical(number)
    assert len(chosen) == len(set(chosen)) == min(number, 126)
    lengths = [max(LENGTHS[i] for i in batches.batch(step)) for step in chosen]
    everything = [max(LENGTHS[i] for i in batch) for batch in epoch(batches)]
    assert sum(lengths) / len(lengths) == pytest.approx(sum(everything) / len(everything), rel=0.1)


@pytest.mark.parametrize(("lengths", "batch_size", "message"), [([], 8, "no examples"), ([3], 0, "batch_size")])
def test_nothing_to_batch_is_an_error(lengths: list[int], batch_size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchOrder(lengths, batch_size, seed=0, stream="train")


STRATA = [0] * 101 + [1] * 30 + [2] * 7 + [3]


@pytest.mark.parametrize("share", [0.5, 0.3, 0.1])
def test_a_split_is_disjoint_complete_and_of_the_right_size(share: float) -> None:
    train, valid = stratified_split(STRATA, share, seed=0)
    assert sorted(train + valid) == list(range(len(STRATA)))
    assert abs(len(valid) - share * len(STRATA)) <= 1


def test_every_stratum_gives_its_share() -> None:
    _, valid = stratified_split(STRATA, 0.5, seed=0)
    counts = Counter(STRATA[index] for index in valid)
    for stratum, size in Counter(STRATA).items():
        assert abs(counts[stratum] - size / 2) <= 1


def test_a_split_follows_its_seed() -> None:
    assert stratified_split(STRATA, 0.5, seed=0) == stratified_split(STRATA, 0.5, seed=0)
    assert stratified_split(STRATA, 0.5, seed=0) != stratified_split(STRATA, 0.5, seed=1)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="valid_share"):
        stratified_split(STRATA, share, seed=0)


def test_too_few_examples_to_split_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        stratified_split([0], 0.5, seed=0)
