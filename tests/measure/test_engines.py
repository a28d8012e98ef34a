import pytest

from autolora.rank_search.config import SearchConfig
from autolora.rank_search.hypergradient import ENGINES
from autolora.training.config import TrainingConfig
from benchmarks.measure import engines
from benchmarks.measure.engines import measure_engines, render_engines
from tests.support.tiny import problem


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "WARM_UP_STEPS", 30)
    monkeypatch.setattr(engines, "BATCHES", 3)


CONFIG = SearchConfig(max_rank=4, training=TrainingConfig(lr=1e-2, batch_size=8))


def test_engines_are_compared_with_the_exact_one() -> None:
    rows = {row.engine: row for row in measure_engines(problem(), CONFIG, ["fp32"])}
    assert set(rows) == set(ENGINES)
    assert rows["exact"].error == 0  # with the same dropout masks
    assert rows["first-order"].second_order_error is None
    errors = [rows[name].second_order_error for name in ("finite-difference", "finite-difference-one-sided")]
    assert 0 < errors[0] < errors[1] < 0.5
    assert "| exact" in render_engines(list(rows.values()), "somewhere")


@pytest.mark.bfloat16
def test_in_bfloat16_the_exact_engine_is_nearer_to_float32_than_differences_are() -> None:
    rows = {(row.engine, row.precision): row for row in measure_engines(problem(), CONFIG)}
    assert set(rows) == {(engine, precision) for engine in ENGINES for precision in ("fp32", "bf16")}
    assert 0 < rows["exact", "bf16"].second_order_error < rows["finite-difference", "bf16"].second_order_error
