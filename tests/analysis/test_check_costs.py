"""The check of cost ratios against the reference: as before, moved, and not comparable."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.analysis.regression.costs import check_costs, refusals
from benchmarks.cli.main import main
from benchmarks.store.cost_record import Cost, CostRun, Round, StageWork, write_cost_run
from tests.support.fakes import make_environment


def cost(method: str, *seconds: float, again: bool = False) -> Cost:
    rounds = tuple(
        Round(seconds={"train": each}, peak_memory_bytes=None, watts=None, disturbed=False) for each in seconds
    )
    return Cost(
        task="sst2",
        task_title="SST-2",
        method=method,
        method_title=method.title(),
        again=again,
        rounds=rounds,
        work={"train": StageWork(steps=10, tokens=8, padding=0, flops=1e9)},
        trainable_parameters=1,
        config={},
    )


def run(autolora: float, *, finished: str = "2026-01-01", noise: float = 0.01) -> CostRun:
    """A run in which AutoLoRA takes `autolora` times as long as AdaLoRA, and LoRA as long as AdaLoRA."""
    return CostRun(
        preset="quick",
        protocol="clean",
        timed_steps=10,
        warmup_steps=2,
        matmul_flops_per_second=1e9,
        model_title="Tiny",
        model_parameters=1,
        data_sources={"sst2": "embedded"},
        costs=(
            cost("adalora", 1, 1, 1, 1),
            cost("autolora", *(autolora * (1 + noise * sign) for sign in (1, -1, 1, -1))),
            cost("lora", 1, 1, 1, 1),
            cost("lora", 1 + noise, 1 - noise, 1, 1, again=True),
        ),
        environment=make_environment(),
        finished=finished,
    )


def moved(candidate: CostRun, reference: CostRun) -> dict[str, bool]:
    return {each.method_title: each.moved for each in check_costs(candidate, reference, "adalora")}


def test_a_ratio_has_moved_where_it_changed_significantly_by_more_than_the_margin() -> None:
    assert moved(run(1.9), run(1.85)) == {"Autolora": False, "Lora": False}
    assert moved(run(2.4), run(1.85)) == {"Autolora": True, "Lora": False}
    assert moved(run(1.4), run(1.85)) == {"Autolora": True, "Lora": False}
    (change, _) = check_costs(run(2.4), run(1.85), "adalora")
    assert change.change == pytest.approx(2.4 / 1.85 - 1, rel=0.01)
    assert change.interval[0] < change.change < change.interval[1]


def test_a_noisy_calibration_copy_keeps_a_change_from_being_significant() -> None:
    assert moved(run(2.4, noise=0.3), run(1.85)) == {"Autolora": False, "Lora": False}


def test_another_device_or_a_run_without_calibration_is_refused() -> None:
    elsewhere = replace(run(1.9), environment=make_environment(device_name="Other CPU"))
    assert refusals(elsewhere, run(1.9), "adalora") == ["device was Some CPU, is Other CPU"]
    blind = replace(run(1.9), costs=run(1.9).costs[:-1])
    assert refusals(blind, run(1.9), "adalora") == ["it has fewer than two undisturbed calibration rounds"]
    assert not refusals(run(2.4), run(1.85), "adalora")


def test_a_run_without_the_baseline_is_refused_and_has_no_ratios(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = replace(run(1.9), costs=run(1.9).costs[1:])
    assert without.ratios("autolora", "adalora") == []
    assert refusals(without, run(1.9), "adalora") == ["it has no costs of adalora, whose training time is 1"]
    write_cost_run(tmp_path / "runs", without)
    write_cost_run(tmp_path / "old", run(1.85))
    assert main(["check", "--costs", "--runs", str(tmp_path / "runs"), "--reference", str(tmp_path / "old")]) == 2
    assert "it has no costs of adalora" in capsys.readouterr().out


def test_the_command_compares_the_newest_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "--costs", "--runs", str(tmp_path / "runs"), "--reference", str(tmp_path / "old")]
    (tmp_path / "old").mkdir()
    assert main(arguments) == 2
    assert "`measure cost` makes one" in capsys.readouterr().err
    write_cost_run(tmp_path / "runs", run(1.9, finished="2026-01-01"))
    assert main(arguments) == 2
    assert "there is no reference" in capsys.readouterr().out
    write_cost_run(tmp_path / "old", run(1.85))
    assert main(arguments) == 0
    write_cost_run(tmp_path / "runs", run(2.6, finished="2026-01-02"))
    assert main([*arguments, "--format", "markdown"]) == 1
    assert "| Autolora | 1.85 " in capsys.readouterr().out.replace("  ", " ")
