from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autolora.rank_search.config import SearchConfig
from autolora.rank_search.pipeline import RetrainConfig
from autolora.training.config import TrainingConfig
from benchmarks.core import identity, registry
from benchmarks.core.nested import Table
from benchmarks.core.settings import Conditions, load_settings
from benchmarks.core.spec import InputError
from benchmarks.data.sources.rows import task_data
from benchmarks.run import plan
from benchmarks.run.cache import Materials
from benchmarks.run.plan import PlannedCell, make_plan, matmul_rate
from benchmarks.store.published import RESULTS
from benchmarks.store.store import Store
from tests.support import fakes


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setattr(plan, "matmul_rate", lambda *_, **__: 1e6)


def planned(folder: Path, layer: Table | None = None, methods: Sequence[str] = ("steady",)) -> list[PlannedCell]:
    settings = load_settings(str(fakes.write_preset(folder)), layer)
    return make_plan(settings, ["coin"], methods, Store(folder=folder / "runs"), Materials())


def keep(folder: Path, cell: plan.Cell, **changes: Any) -> None:
    result = fakes.make_result(
        **{"environment": cell.environment, "configuration": cell.configuration, "identity": cell.identity} | changes
    )
    cell.folder(Store(folder=folder / "runs")).write_result(result, {})


def test_cells_are_tasks_by_methods_by_seeds(tmp_path: Path) -> None:
    cells = [item.cell for item in planned(tmp_path, {"run": {"seeds": [0, 5]}}, ("steady", "exploding"))]
    assert [(cell.method, cell.seed) for cell in cells] == [
        ("steady", 0),
        ("steady", 5),
        ("exploding", 0),
        ("exploding", 5),
    ]
    assert len({cell.identity for cell in cells}) == 4


def test_seeds_share_a_configuration_and_settings_do_not(tmp_path: Path) -> None:
    first, second = planned(tmp_path, {"run": {"seeds": [0, 1]}})
    (other,) = planned(tmp_path, {"training": {"lr": 0.75}})
    assert first.cell.configuration == second.cell.configuration != other.cell.configuration


def test_what_changes_no_number_changes_no_identity(tmp_path: Path) -> None:
    (cell,) = planned(tmp_path)
    (same,) = planned(tmp_path, {"run": {"curve": True, "model": "the/same/weights"}})
    assert cell.cell.identity == same.cell.identity


def test_a_version_raises_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = planned(tmp_path)
    monkeypatch.setattr(fakes.Steady, "version", 2)
    (after,) = planned(tmp_path)
    assert before.cell.identity != after.cell.identity


def test_a_finished_cell_is_done_and_a_failed_one_is_not(tmp_path: Path) -> None:
    (before,) = planned(tmp_path)
    keep(tmp_path, before.cell)
    (after,) = planned(tmp_path)
    assert (before.done, after.done) == (False, True)
    keep(tmp_path, before.cell, status="failed")
    (failed,) = planned(tmp_path)
    assert not failed.done
    assert failed.result


def test_a_cell_that_another_preset_has_finished_stands_in_this_ones_tables(tmp_path: Path) -> None:
    (before,) = planned(tmp_path)
    keep(tmp_path, before.cell, preset="another")
    (after,) = planned(tmp_path)
    assert after.done
    assert after.result
    assert after.result.preset == after.cell.preset != "another"


def test_a_cell_finished_on_another_environment_is_not_done(tmp_path: Path) -> None:
    (before,) = planned(tmp_path)
    elsewhere = replace(before.cell.environment, device_name="Another CPU")
    keep(tmp_path, replace(before.cell, environment=elsewhere), environment=elsewhere)
    (after,) = planned(tmp_path)
    assert not after.done


def test_another_seeds_measured_time_is_the_estimate(tmp_path: Path) -> None:
    (cell,) = planned(tmp_path)
    keep(tmp_path, cell.cell, seconds={"total": 42.0})
    done, other = planned(tmp_path, {"run": {"seeds": [0, 1]}})
    assert (done.seconds, other.seconds) == (42.0, 42.0)


def test_without_a_measurement_the_estimate_is_arithmetic(tmp_path: Path) -> None:
    (cell,) = planned(tmp_path)
    tokens = 3 * plan.TOKENS_PER_WORD + 3  # "heads or tails"
    operations = 8 * tokens * (4 * 3 * 2 + 2 * 4)  # weights, 3 steps of 2, 4 rows to evaluate
    assert cell.seconds == pytest.approx(operations / (1e6 * plan.EFFICIENCY["fp32"]))


def test_a_record_with_several_texts_is_several_examples() -> None:
    rows = {"train": [{"record": "a b", "texts": ["c d", "e f"]}, {"record": "a b", "texts": ["c d"]}]}
    assert sum(map(plan._examples_of_row, rows["train"])) == 3
    assert plan.mean_tokens(task_data(rows, "here")) == pytest.approx(4 * plan.TOKENS_PER_WORD + 3)


def test_every_choice_of_a_question_is_evaluated_and_one_of_them_is_trained_on() -> None:
    rows = [
        {"question": "one two", "choices": ["three four", "x y"], "label": 1},
        {"question": "one", "choices": ["x y"] * 3, "label": 0},
    ]
    data = task_data({"train": rows, "test": rows}, "here")
    assert plan.evaluated_examples(registry.task("arc_easy"), data) == 2 + 3
    assert plan.mean_tokens(data) == pytest.approx((1.5 + 2) * plan.TOKENS_PER_WORD + 3)


def test_names_are_checked_before_data_are_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown method"):
        planned(tmp_path, {"run": {"data": "nowhere"}}, ("steady", "stedy"))
    with pytest.raises(InputError, match=r"nowhere/coin\.tsv is missing"):
        planned(tmp_path, {"run": {"data": "nowhere"}})


def test_the_cell_that_another_needs_is_planned_before_it(tmp_path: Path) -> None:
    cells = [item.cell for item in planned(tmp_path, {"run": {"seeds": [0, 1]}}, ("twice", "follower"))]
    assert [(cell.method, cell.seed) for cell in cells[:2]] == [("steady", 0), ("steady", 1)]
    assert {cell.method for cell in cells[2:]} == {"twice", "follower"}
    for cell in cells[2:]:
        assert cell.needs is not None
        assert cell.needs.identity == cells[cell.seed].identity


def test_a_cell_is_another_one_where_the_cell_that_it_needs_is(tmp_path: Path) -> None:
    rank = {"methods": {"steady": {"rank": 7}}}
    before, after = (planned(tmp_path, layer, ("follower",))[-1].cell for layer in (None, rank))
    assert before.config == after.config
    assert before.identity != after.identity


def test_settings_that_came_later_leave_identities_as_they_were() -> None:
    found = list(Store(folder=RESULTS / "reference" / "quick").results())
    assert len(found) > 40
    for result in found:
        cell = plan.Cell(
            task=result.task,
            method=result.method,
            seed=result.seed,
            preset=result.preset,
            protocol=result.protocol,
            config={
                **identity.LEGACY_DEFAULTS,
                **result.config,
                "method": {**identity.LEGACY_DEFAULTS, **result.config["method"]},
            },
            versions=result.versions,
            fingerprints={name: result.fingerprints[name] for name in ("data", "model")},
            environment=result.environment,
        )
        assert cell.identity == result.identity


def test_settings_that_came_later_have_the_value_that_they_are_left_out_at_by_default() -> None:
    kinds = (Conditions, SearchConfig, TrainingConfig, RetrainConfig)
    defaults = {field.name: field.default for kind in kinds for field in fields(kind)}
    assert {name: plain_value(defaults[name]) for name in identity.LEGACY_DEFAULTS} == dict(identity.LEGACY_DEFAULTS)


def plain_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_a_setting_that_came_later_counts_at_any_other_value() -> None:
    assert identity.without_legacy_defaults({"engine": "exact", "search": {"schedule": "linear", "lr": 1}}) == {
        "search": {"lr": 1}
    }
    assert identity.without_legacy_defaults({"engine": "betty"}) == {"engine": "betty"}


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.bfloat16)])
@pytest.mark.parametrize("onednn", [True, False])
def test_the_device_is_measured_as_it_is_used(precision: str, onednn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    products: list[Tensor] = []

    def spied(x: Tensor, weight: Tensor) -> Tensor:
        products.append(x)
        return torch.nn.functional.linear(x, weight)

    monkeypatch.setattr(plan, "linear", spied)
    assert matmul_rate("cpu", precision, onednn=onednn) > 0
    assert bool(products) == (onednn and precision == "fp32")
