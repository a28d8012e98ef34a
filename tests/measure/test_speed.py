"""Speed comparisons: turns, ratios and targets; and every contender does its work on a tiny model."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest
from transformers import BertConfig

from autolora.compute.runtime import Runtime
from benchmarks.cli.main import main
from benchmarks.data.models.backbones import open_backbone
from benchmarks.measure.speed import comparisons, growth
from benchmarks.measure.speed.comparison import Comparison, Contender, Target, compare
from benchmarks.measure.speed.comparisons import COMPARISONS
from benchmarks.measure.speed.problems import LENGTHS, problem_of_lengths
from benchmarks.measure.speed.run import measure_speed
from benchmarks.measure.speed.setting import Setting
from benchmarks.report.figures.costs import growth_curves
from benchmarks.report.speed_report import render_speed
from benchmarks.store.speed_record import SpeedRun, Timing, speed_runs, write_speed_run
from tests.support.fakes import make_result


def taking(*seconds: float) -> Callable[[], float]:
    """Returns the next of these times at every call; the first call is the warm-up."""
    times = itertools.cycle(seconds)
    return lambda: next(times)


def silent(_: str) -> None:
    """Ignore the message."""


def test_ratios_are_taken_round_by_round() -> None:
    slow = Contender(name="slow", run=taking(99, 4, 10, 6))
    fast = Contender(name="fast", run=taking(99, 1, 5, 2), baseline="slow")
    first, second = compare(Comparison(work="work", contenders=[slow, fast]), 3, "cpu", silent)
    assert (first.seconds, first.ratio) == ((4, 10, 6), None)
    assert second.ratios == (1 / 4, 5 / 10, 2 / 6)
    assert second.ratio == 2 / 6


def test_contenders_take_turns_and_a_different_one_goes_first_in_each_round() -> None:
    order: list[str] = []

    def run(name: str) -> Callable[[], float]:
        return lambda: order.append(name) or 1.0  # type: ignore[func-returns-value]

    compare(Comparison(work="work", contenders=[Contender(name=n, run=run(n)) for n in "abc"]), 3, "cpu", silent)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"


def test_a_contender_with_two_baselines_is_timed_once() -> None:
    halves, thirds, run = taking(9, 2), taking(9, 3), taking(9, 6)
    contenders = [
        Contender(name="2", run=halves),
        Contender(name="3", run=thirds),
        Contender(name="6 over 2", run=run, baseline="2"),
        Contender(name="6 over 3", run=run, baseline="3"),
    ]
    announced: list[str] = []
    timings = compare(Comparison(work="work", contenders=contenders), 1, "cpu", announced.append)
    assert [timing.ratios for timing in timings] == [(), (), (3.0,), (2.0,)]
    assert len(announced) == 2 * 3


@pytest.mark.parametrize(
    ("device", "target", "met"), [("cpu", "<= 0.6", True), ("cuda", "<= 0.2", False), ("mps", None, None)]
)
def test_a_target_belongs_to_a_kind_of_device(device: str, target: str | None, met: bool | None) -> None:  # noqa: FBT001
    bounds = [Target(device="cpu", bound=0.6), Target(device="cuda", bound=0.2)]
    contenders = [Contender(name="a", run=taking(2)), Contender(name="b", run=taking(1), baseline="a", targets=bounds)]
    timing = compare(Comparison(work="work", contenders=contenders), 1, device, silent)[1]
    assert (timing.reach, timing.met) == (target, met)


def test_a_lower_bound_is_met_by_larger_ratios() -> None:
    assert Target(device="cpu", bound=3.0, at_most=False).met(3.1)
    assert not Target(device="cpu", bound=3.0, at_most=False).met(2.9)


def test_an_unknown_baseline_is_an_error() -> None:
    with pytest.raises(ValueError, match="a baseline must be the name of a contender"):
        Comparison(work="work", contenders=[Contender(name="a", run=taking(1), baseline="b")])


def setting() -> Setting:
    minilm = open_backbone("minilm")
    config = BertConfig(
        vocab_size=10_000,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        pad_token_id=0,
    )
    backbone = replace(minilm, folder=None, config=config, head=("classifier",))
    return Setting(backbone=backbone, runtime=Runtime(), steps=2, released_length=60)


@pytest.mark.parametrize("task", LENGTHS)
def test_a_problem_has_the_tasks_lengths(task: str) -> None:
    problem = problem_of_lengths(task, setting().backbone, Runtime(), examples=2000)
    assert mean(len(example["input_ids"]) for example in problem.train) == pytest.approx(
        mean(LENGTHS[task]["lengths"]), rel=0.05
    )
    assert len(LENGTHS[task]["lengths"]) == 100


@pytest.mark.parametrize("name", COMPARISONS)
def test_every_contender_does_its_work(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "WRITTEN", 4)
    monkeypatch.setattr(comparisons, "RANKS", (1, 3))
    monkeypatch.setattr(comparisons, "STACKS", (1, 2))
    if name in ("search", "released"):
        pytest.importorskip("betty")
    timings = [timing for found in measure_speed([name], setting(), 1, silent) for timing in found]
    assert len(timings) >= 2
    assert all(min(timing.seconds) > 0 for timing in timings)
    assert all(timing.ratio is None or timing.ratio > 0 for timing in timings)
    found = SpeedRun(
        model_title="Tiny",
        steps=2,
        timings=tuple(timings),
        environment=make_result().environment,
        finished="2026-01-01",
    )
    assert all(timing.name in render_speed([found], "text", 200) for timing in timings)
    assert json.loads(render_speed([found], "json", 200))[1]["name"] == timings[1].name
    write_speed_run(tmp_path, found)
    assert speed_runs(tmp_path) == [found]


def test_of_each_work_the_newest_run_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day, works in (("2026-01-02", {"search": 3.0, "grid": 5.0}), ("2026-01-03", {"search": 4.0})):
        timings = [
            Timing(work=work, name="ours", seconds=(seconds,), over=None, ratios=(), reach=None, met=None)
            for work, seconds in works.items()
        ]
        environment = make_result().environment
        run = SpeedRun(model_title="Tiny", steps=2, timings=tuple(timings), environment=environment, finished=day)
        write_speed_run(tmp_path, run)
    assert main(["report", "speed", "--runs", str(tmp_path), "--format", "json"]) == 0
    shown = {timing["work"]: timing["seconds"] for timing in json.loads(capsys.readouterr().out)}
    assert shown == {"search": [4.0], "grid": [5.0]}


def test_every_device_has_a_table_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = make_result().environment
    for device, day in (("AMD EPYC", "2026-01-02"), ("NVIDIA H100", "2026-01-03")):
        timing = Timing(work="search", name="ours", seconds=(1.0,), over=None, ratios=(), reach=None, met=None)
        environment = replace(where, device_name=device)
        write_speed_run(
            tmp_path,
            SpeedRun(model_title="Tiny", steps=2, timings=(timing,), environment=environment, finished=day),
        )
    assert main(["report", "speed", "--runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("Speed on AMD EPYC") < shown.index("Speed on NVIDIA H100")
    assert shown.count("ours") == 2


def test_what_was_measured_before_an_interruption_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Setting) -> Iterator[Comparison]:
        raise KeyboardInterrupt

    quick = Comparison(work="writing", contenders=[Contender(name="ours", run=taking(1))])
    other = Comparison(work="inference", contenders=[Contender(name="ours", run=taking(1))])
    done = {"writing": lambda _: iter([quick]), "inference": lambda _: iter([other]), "grid": interrupted}
    monkeypatch.setattr(comparisons, "COMPARISONS", done)
    monkeypatch.setattr("benchmarks.measure.speed.run.COMPARISONS", done)
    assert (
        main(["measure", "speed", "--only", "writing,inference,grid", "--device", "cpu", "--runs", str(tmp_path)])
        == 130
    )
    assert "interrupted; 2 comparisons were finished, and are kept" in capsys.readouterr().err
    assert [run.timings[0].work for run in speed_runs(tmp_path)] == ["writing", "inference"]


def test_an_unknown_comparison_is_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "speed", "--only", "serach"]) == 2
    assert "search" in capsys.readouterr().err


def test_how_cost_grows_is_measured_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "AXES", {"batch size": (2, 8), "layers": (1, 3)})
    monkeypatch.setattr(growth, "DEFAULTS", {"batch size": 2, "tokens per example": 4, "layers": 1, "rank": 2})
    found = growth.measure_growth(setting(), make_result().environment, 1, silent)
    assert [(point.axis, point.value, point.kind) for point in found.points] == [
        (axis, value, kind)
        for axis, values in (("batch size", (2, 8)), ("layers", (1, 3)))
        for value in values
        for kind in ("LoRA", "search")
    ]
    floors = [point.floor_seconds for point in found.points]
    assert floors[2] == pytest.approx(4 * floors[0], rel=0.01)
    assert 2 * floors[0] < floors[1] < 4 * floors[0]
    assert all(min(point.step_seconds, point.floor_seconds) > 0 for point in found.points)
    growth_curves(json.loads(growth.growth_json(found)), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_only_runs_of_clean_code_are_promoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = make_result().environment
    for environment in (where, replace(where, clean=False, threads=9)):
        write_speed_run(
            tmp_path / "runs",
            SpeedRun(
                model_title="Tiny", steps=2, timings=(), environment=environment, finished="2026-01-02T03:04:05+00:00"
            ),
        )
    to = tmp_path / "reference"
    assert main(["results", "promote", "--kind", "speed", "--runs", str(tmp_path / "runs"), "--to", str(to)]) == 1
    assert "left out: speed run of 2026-01-02T03:04:05+00:00: the code differed" in capsys.readouterr().err
    assert [run.environment for run in speed_runs(to)] == [where]
