"""The report that compares the costs of methods, and the files that it reads."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from benchmarks.cli.main import main
from benchmarks.core.spec import InputError
from benchmarks.report.cost_report import cost_report, render_costs
from benchmarks.report.figures import style
from benchmarks.report.figures.costs import cost_bars
from benchmarks.report.page.figures import drawings
from benchmarks.report.rank_report import RankReport
from benchmarks.store.cost_record import Cost, CostRun, Round, StageWork, cost_runs, write_cost_run
from benchmarks.store.published import published_table
from benchmarks.store.store import Store
from tests.support.fakes import make_result

TABLE = published_table(5)
NO_RANKS = RankReport(tasks=[], controls=[], same_seed=None, other_seed=None)
WORK = StageWork(steps=100, tokens=120.0, padding=0.2, flops=5e9)


def turn(train: float, search: float | None = None, **changes: Any) -> Round:
    seconds = {"train": train} | ({} if search is None else {"search": search})
    return Round(**{"seconds": seconds, "peak_memory_bytes": 10**9, "watts": None, "disturbed": False, **changes})


def cost(method: str, *rounds: Round, task: str = "sst2", again: bool = False, steps: int = 100) -> Cost:
    return Cost(
        task=task,
        task_title=task.upper(),
        method=method,
        method_title=method.title(),
        again=again,
        rounds=rounds,
        work=dict.fromkeys(rounds[0].seconds, replace(WORK, steps=steps)),
        trainable_parameters=36_864,
        config={"method": {"search": {"valid_share": 0.5}}},
    )


def run(*costs: Cost, **changes: Any) -> CostRun:
    fields = {
        "preset": "quick",
        "protocol": "clean",
        "timed_steps": 10,
        "warmup_steps": 2,
        "matmul_flops_per_second": 1e11,
        "model_title": "Fake",
        "model_parameters": 10,
        "data_sources": {"sst2": "embedded"},
        "costs": costs,
        "environment": make_result().environment,
        "finished": "2026-01-02T03:04:05+00:00",
    }
    return CostRun(**{**fields, **changes})


def test_costs_are_multiples_of_adaloras_round_by_round() -> None:
    found = cost_report(run(cost("adalora", turn(10), turn(20)), cost("lora", turn(9), turn(16))), TABLE)
    adalora, lora = found.rows
    assert (adalora.average.median, adalora.published) == (1, 1)
    assert (lora.average.low, lora.average.median, lora.average.high) == pytest.approx((0.8, 0.85, 0.9))
    assert lora.published is None


def test_the_average_is_that_of_the_times_as_in_the_paper() -> None:
    costs = [
        cost("adalora", turn(10)),
        cost("adalora", turn(30), task="mnli"),
        cost("autolora", turn(10, search=10)),
        cost("autolora", turn(20, search=10), task="mnli"),
    ]
    autolora = cost_report(run(*costs), TABLE).rows[1]
    assert {task: each.median for task, each in autolora.by_task.items()} == {"sst2": 2, "mnli": 1}
    assert autolora.average.median == 50 / 40
    assert autolora.published == 1.91


def test_both_ways_of_the_grid_stand_beside_the_papers() -> None:
    costs = [cost(method, turn(1)) for method in ("adalora", "lora_grid", "lora_grid_sequential")]
    assert [row.published for row in cost_report(run(*costs), TABLE).rows] == [1, 14.29, 14.29]


def test_without_adalora_every_text_names_the_method_whose_cost_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(style.STYLE, "svg.fonttype", "none")  # texts that can be read back
    found = cost_report(run(cost("lora", turn(10)), cost("autolora", turn(8, search=12))), TABLE)
    assert [row.published for row in found.rows] == [None, None]  # the paper prints no cost of LoRA alone
    (caption,) = (text for text in drawings([], NO_RANKS, [found], []) if "Training time" in text)
    cost_bars(found, tmp_path / "costs.svg")
    for text in (found.title, caption, (tmp_path / "costs.svg").read_text("utf-8")):
        assert "Lora's" in text
    for text in (caption, (tmp_path / "costs.svg").read_text("utf-8")):
        assert "AdaLoRA" not in text


def test_published_multiples_have_the_reference_of_the_measured_ones() -> None:
    found = cost_report(run(cost("autolora", turn(4, search=6)), cost("lora_grid", turn(80))), TABLE)
    assert [row.published for row in found.rows] == pytest.approx([1, 14.29 / 1.91])


def test_the_calibration_names_the_copied_method() -> None:
    found = cost_report(run(cost("adalora", turn(10)), cost("adalora", turn(11), again=True)), TABLE)
    assert "a second copy of Adalora in multiples of the first" in render_costs([found], "text", 200)


def test_the_ratio_of_the_two_copies_of_a_method_is_the_calibration() -> None:
    costs = [cost("adalora", turn(10)), cost("lora", turn(8)), cost("lora", turn(10), again=True)]
    found = cost_report(run(*costs), TABLE)
    assert found.calibration
    assert found.calibration.median == 1.25
    assert [row.method for row in found.rows] == ["adalora", "lora"]
    assert "1.25 [1.25, 1.25]" in render_costs([found], "text", 120)


def test_a_round_in_which_the_machine_slept_is_left_out() -> None:
    costs = [cost("adalora", turn(10), turn(10)), cost("lora", turn(9), turn(900, disturbed=True))]
    found = cost_report(run(*costs), TABLE)
    assert found.rows[1].average.high == 0.9
    assert any("1 of 2 rounds do not count" in remark for remark in found.remarks)


def test_a_stage_has_its_share_of_the_devices_rate_and_its_energy() -> None:
    (found,) = cost_report(run(cost("adalora", turn(20, watts=36.0))), TABLE).stages
    assert found.step_seconds == 0.2
    assert found.share_of_peak == pytest.approx(5e9 / 0.2 / 1e11)
    assert found.watt_hours == pytest.approx(36 * 20 / 3600)


def test_the_curve_over_the_searchs_epochs_follows_from_the_times_of_a_step() -> None:
    found = cost_report(run(cost("adalora", turn(10)), cost("autolora", turn(8, search=30))), TABLE)
    assert found.search_ratios[1.0] == pytest.approx((0.5 * 30 + 8) / 10)
    assert found.search_ratios[2.0] == pytest.approx((30 + 8) / 10)


def test_in_the_curve_a_task_with_more_steps_weighs_more() -> None:
    costs = [
        cost("adalora", turn(10)),
        cost("autolora", turn(10, search=20)),
        cost("adalora", turn(900), task="mnli", steps=900),
        cost("autolora", turn(900, search=0.9), task="mnli", steps=900),
    ]
    found = cost_report(run(*costs), TABLE)
    assert found.search_ratios[1.0] == pytest.approx((0.5 * 20 + 10 + 0.5 * 0.9 + 900) / 910)


def test_a_run_without_a_sound_round_is_refused() -> None:
    with pytest.raises(InputError, match=r"every round .* was disturbed; measure again"):
        cost_report(run(cost("adalora", turn(10, disturbed=True))), TABLE)


def test_after_ctrl_c_a_message_says_that_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.cli.commands.measuring.measure_costs", Mock(side_effect=KeyboardInterrupt))
    assert main(["measure", "cost", "--runs", str(tmp_path)]) == 130
    assert "nothing of this one is kept" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_grid_search_has_a_row_in_the_tables_of_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(folder=tmp_path)
    for method in ("lora_grid", "autolora_sigmoid"):
        result = replace(make_result(), method=method, method_title=method)
        store.cell(result.task, method, result.identity, result.environment.key).write_result(result, {})
    assert main(["report", "tables", "--runs", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "lora_grid" in out
    assert "sigmoid" not in out
    assert main(["report", "tables", "--table", "4", "--runs", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "lora_grid" not in out
    assert "sigmoid" in out


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_every_form_has_all_numbers(form: str) -> None:
    text = render_costs([cost_report(run(cost("adalora", turn(10)), cost("lora", turn(9))), TABLE)], form, 120)
    assert "0.90" in text or json.loads(text)[0]["rows"][1]["average"]["median"] == 0.9
    assert "projected" in text


def test_measured_times_are_not_called_projected() -> None:
    text = render_costs([cost_report(run(cost("adalora", turn(10)), timed_steps=None), TABLE)], "text", 120)
    assert "measured" in text
    assert "rojected" not in text


def test_a_run_comes_back_from_its_file(tmp_path: Path) -> None:
    written = run(cost("adalora", turn(10), turn(11, watts=3.5)))
    path = write_cost_run(tmp_path, written)
    assert path.parent == tmp_path / "costs"
    assert list(cost_runs(tmp_path)) == [written]


def test_only_runs_of_clean_code_are_promoted_and_without_this_machines_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = make_result().environment
    mine = replace(cost("adalora", turn(10)), config={"data": str(tmp_path)})
    write_cost_run(tmp_path / "runs", run(mine))
    write_cost_run(tmp_path / "runs", run(mine, environment=replace(where, clean=False, threads=9)))
    to = ["--runs", str(tmp_path / "runs"), "--to", str(tmp_path / "reference")]
    assert main(["results", "promote", "--kind", "costs", *to]) == 1
    assert "left out: cost run of 2026-01-02T03:04:05+00:00: the code differed" in capsys.readouterr().err
    (promoted,) = cost_runs(tmp_path / "reference" / "quick")
    assert promoted.costs[0].config == {"data": tmp_path.name}
    assert main(["report", "costs", "--runs", str(tmp_path / "reference" / "quick")]) == 0
    assert "Table 5" in capsys.readouterr().out


@pytest.mark.parametrize(("content", "message"), [("{", "not a valid cost run"), ('{"schema": 9}', "has schema 9")])
def test_a_file_that_is_no_run_is_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "costs").mkdir()
    (tmp_path / "costs" / "x.json").write_text(content)
    with pytest.raises(InputError, match=message):
        cost_runs(tmp_path)


def test_a_report_without_cost_runs_says_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "costs", "--runs", str(tmp_path)]) == 2
    assert "`measure cost` makes one" in capsys.readouterr().err
