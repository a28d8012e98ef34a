"""When an allocator is called better than uniform: real differences are found, and noise rarely is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from benchmarks.analysis.allocation_scores import LEVEL, better_than_uniform, scores
from benchmarks.store.allocation_record import AllocationRun, Trial
from tests.support.fakes import make_environment

NAMES = ("adalora", "elalora", "eva", "gora", "autolora_budget")
DRAWS = 2000


def trial(name: str, loss: float) -> Trial:
    return Trial(
        allocator=name, title=name, share=1.0, budget=64, spent=64, ranks=(1, 1), loss=loss, seconds=1.0,
        training_seconds=1.0,
    )  # fmt: skip


def runs(losses: np.ndarray) -> list[AllocationRun]:
    """One run per row; columns: uniform, then NAMES; the oracle is as good as uniform."""
    first = AllocationRun(
        student="llama", pattern="alike", spectrum="flat", noise=0.0, shuffled=False, seed=0, layers=("a", "b"),
        costs=(32, 32), truth=(1, 1), steps=1, lr=0.1, environment=make_environment(), finished="2026-01-01T00:00:00",
        trials=(),
    )  # fmt: skip
    labels = ("uniform", *NAMES, "oracle")
    return [
        replace(
            first,
            seed=seed,
            trials=tuple(trial(name, float(loss)) for name, loss in zip(labels, [*row, row[0]], strict=True)),
        )
        for seed, row in enumerate(losses)
    ]


def test_holm_compares_the_smallest_p_value_with_a_fraction_of_the_level() -> None:
    """With three tests: 0.05 / 3, then 0.05 / 2, then 0.05, and nothing after the first that is too large."""
    assert better_than_uniform({"a": 0.016, "b": 0.024, "c": 0.049}) == {"a", "b", "c"}
    assert better_than_uniform({"a": 0.016, "b": 0.026, "c": 0.03}) == {"a"}
    assert better_than_uniform({"a": 0.017, "b": 0.02, "c": 0.03}) == set()
    assert better_than_uniform({}) == set()


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize("noise", ["normal", "skewed"])
def test_where_no_allocator_is_better_one_is_called_so_in_at_most_one_of_twenty_draws(seeds: int, noise: str) -> None:
    """The losses of a seed share the seed's effect, and all allocators of a draw count as one finding at most."""
    rng = np.random.default_rng(seeds)
    size = (seeds, 1 + len(NAMES), DRAWS)
    drawn = rng.normal(size=size) if noise == "normal" else rng.exponential(size=size)
    losses = 1 + 0.1 * rng.normal(size=(seeds, 1, DRAWS)) + 0.02 * drawn
    p_values = ttest_rel(losses[:, 1:], losses[:, :1], alternative="less").pvalue
    smallest = p_values.min(0)
    order = smallest.argsort()
    found = int(
        (smallest <= LEVEL / len(NAMES)).sum()
    )  # Holm's correction calls none better where its first test fails
    for place, called in ((order[found - 1], True), (order[found], False)):
        assert bool(better_than_uniform(dict(zip(NAMES, p_values[:, place].tolist(), strict=True)))) == called
    error = (LEVEL * (1 - LEVEL) / DRAWS) ** 0.5
    assert 0 < found / DRAWS <= LEVEL + 2 * error


def test_an_allocator_with_a_lower_loss_at_every_seed_is_called_better_and_the_others_are_not() -> None:
    rng = np.random.default_rng(0)
    losses = 1 + 0.1 * rng.normal(size=(5, 1)) + 0.01 * rng.normal(size=(5, 1 + len(NAMES)))
    losses[:, -1] -= 0.2
    found = scores(runs(losses))
    assert [each.allocator for each in found if each.better] == [NAMES[-1]]
    expected = ttest_rel(losses[:, 1:], losses[:, :1], alternative="less").pvalue
    assert [each.p for each in found[1:-1]] == pytest.approx(expected.tolist())
