"""What the check finds and how often it raises a false alarm, in simulated checks of 40 quiet cells."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from benchmarks.analysis.regression import power
from benchmarks.analysis.regression.comparison import check
from benchmarks.analysis.regression.noise import Values
from benchmarks.analysis.regression.power import normal_noise, observed_noise, plausible_sds, scenarios, simulate
from benchmarks.analysis.stats import Summary, summarise
from benchmarks.store.published import RESULTS, published_table
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.fakes import make_environment, scored

CELLS = 40


def table_1() -> list[Summary]:
    """The cells of the reference of the preset `quick`."""
    summaries = summarise(Store(folder=RESULTS / "reference" / "quick").results())
    table = published_table(1)
    return [summaries[pair] for pair in product(table.tasks, table.methods)]


def test_plausible_cells_have_the_stated_median_and_largest_standard_deviation() -> None:
    sds = plausible_sds(CELLS)
    assert (np.median(sds), sds.max()) == pytest.approx((1.2, 3.0), rel=0.01)
    assert sds.min() > 0.4


@pytest.mark.parametrize(("new_seeds", "drop"), [(1, 14.0), (3, 9.5)])
def test_normal_noise_raises_few_alarms_and_hides_no_large_drop(new_seeds: int, drop: float) -> None:
    found = simulate(normal_noise(plausible_sds(CELLS)), reference_seeds=5, new_seeds=new_seeds, checks=2000)
    assert found.false_alarms <= 0.015  # 1%, and more than two standard errors
    assert found.found(drop) >= 30


def test_more_seeds_of_the_reference_find_smaller_drops() -> None:
    few, many = (
        simulate(normal_noise(plausible_sds(CELLS)), reference_seeds=seeds, new_seeds=1, checks=1000)
        for seeds in (5, 10)
    )
    assert np.median(many.drops) < 0.85 * np.median(few.drops)


def test_cells_of_a_reference_may_differ_in_their_number_of_seeds() -> None:
    first, *others = table_1()
    *_, scenario = scenarios([replace(first, results=first.results[:3]), *others])
    assert scenario.draw(np.random.default_rng(0), 2, 5).shape == (2, CELLS, 5)


def test_resampled_scores_have_the_spread_of_the_scores_and_never_repeat() -> None:
    scores = np.array([[60.0, 61.0, 60.5, 59.5, 60.2], [50.0, 50.0, 50.0, 50.0, 80.0]])
    drawn = observed_noise(scores)(np.random.default_rng(0), 20_000, 5)
    assert drawn.shape == (20_000, 2, 5)
    assert drawn.mean(axis=(0, 2)) == pytest.approx([0, 0], abs=0.2)
    assert drawn.std(axis=(0, 2)) == pytest.approx(np.std(scores, axis=1, ddof=1), rel=0.02)
    assert drawn.var(axis=2).min() > 0


@pytest.mark.parametrize("new_seeds", [1, 3])
def test_resampled_scores_of_quiet_cells_raise_few_alarms(new_seeds: int) -> None:
    """The shapes of the reference's scores, with the standard deviations of quiet cells."""
    _, _, scenario, _ = scenarios(table_1())
    found = scenario.power(5, new_seeds, 2000)
    assert len(found.drops) == CELLS
    assert found.false_alarms <= 0.015


def test_the_simulation_and_the_check_find_the_same_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "LEVEL", 0.5)
    monkeypatch.setattr("benchmarks.analysis.regression.comparison.LEVEL", 0.5)
    scope = [(f"task{number}", "lora") for number in range(CELLS)]
    alarms = 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        old, new = (normal_noise(plausible_sds(CELLS))(rng, 1, seeds)[0] for seeds in (5, 1))

        def results(scores: Values, **changes: Any) -> list[Result]:
            return [
                scored(80 + score, task=task, seed=seed, rows={"train": 8, "validation": 10**6}, **changes)
                for (task, _), row in zip(scope, scores, strict=True)
                for seed, score in enumerate(row)
            ]

        checks = check(results(new, environment=make_environment(commit="d" * 40)), results(old), scope)
        moved = any(each.outcome == "moved" for each in checks)
        found = simulate(normal_noise(plausible_sds(CELLS)), reference_seeds=5, new_seeds=1, checks=1, seed=seed)
        assert found.false_alarms == moved
        alarms += moved
    assert 0 < alarms < 3
