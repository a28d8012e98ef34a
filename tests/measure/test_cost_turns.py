"""Costs of methods are measured in turns, with one process per method."""

from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from autolora.compute.runtime import TimingRun
from benchmarks.cli.main import main
from benchmarks.core.settings import load_settings
from benchmarks.core.spec import InputError
from benchmarks.measure.cost import CostRequest, measure_costs, profile, turns
from benchmarks.store.store import Store


def request(tmp_path: Path, timing_run: TimingRun | None, **methods: Any) -> CostRequest:
    settings = {
        "run": {"seeds": [0, 1], "model": "minilm"},
        "training": {"steps": 6, "batch_size": 4},
        "methods": methods,
    }
    return CostRequest(
        settings=load_settings("quick", settings),
        tasks=["rte"],
        methods=[*methods],
        timing_run=timing_run,
        threads=1,
        store=Store(folder=tmp_path),
    )


def test_methods_take_turns_and_their_steps_are_profiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "benchmarks.measure.cost_process.START_METHOD", "fork"
    )  # forked processes have everything imported
    monkeypatch.setattr("benchmarks.measure.cost_turn.PROFILED_STEPS", TimingRun(steps=2, warmup=0))
    announced: list[str] = []
    wanted = request(tmp_path, TimingRun(steps=2, warmup=1), lora={}, lora_grid_sequential={"ranks": [1, 2]})
    found = measure_costs(wanted, announced.append)
    assert len(announced) == turns(wanted) == 9
    assert announced[3:6] != announced[6:9]
    lora, grid, calibration = found.costs
    assert (lora.method, lora.again, calibration.method, calibration.again) == ("lora", False, "lora", True)
    assert [len(each.rounds) for each in found.costs] == [2, 2, 2]
    assert lora.work["train"].steps == 6
    assert grid.work["search"].steps == 12
    assert {*grid.rounds[0].seconds} == {"search", "train"}
    # Forward, backward to the activations: twice the multiplied parameters times the tokens, each.
    tokens = lora.work["train"].tokens / (1 - lora.work["train"].padding)
    assert lora.work["train"].flops == pytest.approx(4 * 10.6e6 * tokens, rel=0.1)
    assert not list(tmp_path.glob("**/checkpoints/*"))


@pytest.mark.parametrize(("concurrent", "order"), [(False, ["+a", "-a", "+b", "-b"]), (True, ["+a", "+b", "-a", "-b"])])
def test_methods_are_profiled_one_after_another_or_concurrently(concurrent: bool, order: list[str]) -> None:  # noqa: FBT001
    events: list[str] = []

    def process(name: str) -> Any:
        start, result = (partial(events.append, sign + name) for sign in "+-")
        return Mock(start_profiling=start, result=result)

    profile([process("a"), process("b")], ["a", "b"], lambda _: None, concurrent=concurrent)
    assert events == order


@pytest.mark.slow
def test_all_steps_can_be_run(tmp_path: Path) -> None:
    found = measure_costs(request(tmp_path, None, full={}), lambda _: None)
    assert found.timed_steps is None
    assert all(each.total > 0 for each in found.costs[0].rounds)


def test_a_method_that_cannot_be_measured_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.measure.cost_process.START_METHOD", "fork")
    with pytest.raises(InputError, match=r"rte lora_grid: the grid's ranks must lie in 1\.\.384"):
        measure_costs(request(tmp_path, TimingRun(), lora_grid={"ranks": [1000]}), lambda _: None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "methods.lora_grid.ranks=[]"], "the grid is empty"),
        (["--set", "methods.lora_grid.ranks=[1,1]"], "distinct"),
        (["--set", "methods.lora_grid.stack.members=0"], "members of a stack is at least 1"),
        (["--device", "cuda:7"], "device 'cuda:7' cannot be used"),
    ],
)
def test_invalid_settings_are_refused_before_anything_runs(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", "cost", "--tasks", "rte", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--steps", "x"]])
def test_values_that_are_no_valid_numbers_are_refused_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["measure", "cost", *arguments])
    assert "usage" in capsys.readouterr().err
