import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from autolora.problem import Outcome, Problem
from autolora.training import loop
from benchmarks.cli.main import main
from benchmarks.core.spec import InputError, Prediction
from benchmarks.core.stopping import StopOnSignal
from benchmarks.run import attempt
from benchmarks.store.result import SCHEMA
from benchmarks.store.store import Store
from benchmarks.tasks.families import evaluation
from tests.support import fakes
from tests.support.processes import comes_true, ended, forked
from tests.support.tiny import save_encoder


def results(folder: Path) -> dict[str, Any]:
    return {result.method: result for result in Store(folder=folder / "runs").results()}


def test_a_result_has_scores_settings_environment_and_fingerprints(options: list[str], tmp_path: Path) -> None:
    assert main([*options, "--methods", "steady", "--set", "run.seeds=[3]"]) == 0
    result = results(tmp_path)["steady"]
    assert result.score == pytest.approx(1.5, rel=1e-5)  # three steps of 0.5 / 100
    assert (result.task, result.seed, result.preset, result.model_title) == ("coin", 3, "fake", "Fake")
    assert (result.ranks, result.trainable_parameters, result.head_parameters) == ({"query": 4}, 1, 2)
    assert set(result.seconds) == {"load", "train", "evaluate", "total"}
    assert result.config["method"]["training"]["steps"] == 3
    assert result.environment.commit == "c" * 40
    assert result.rows == {"train": 8, "validation": 4}
    assert len(result.fingerprints["predictions"]) == 64


def test_a_cell_has_a_clock_for_each_kind_of_work_and_they_add_up_to_its_total(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = fakes.Clock(monkeypatch.setattr)
    for owner, name, seconds in (
        (fakes.FakeTask, "prepare", 7.0),
        (fakes.FakeTask, "predict", 2.0),
        (loop, "save_checkpoint", 0.5),
    ):
        monkeypatch.setattr(owner, name, clock.slower(getattr(owner, name), seconds))
    slow = ["methods.steady.step_seconds=0.25", "training.steps=20", "run.curve=true", "run.checkpoint_seconds=0.0"]
    assert main([*options, "--methods", "steady", *(part for setting in slow for part in ("--set", setting))]) == 0
    seconds = dict(results(tmp_path)["steady"].seconds)
    evaluations, checkpoints = (
        20 + 3,
        19,
    )  # one per epoch, one at the end, and two that check whether evaluation repeats
    assert seconds == {
        "load": 7.0,
        "train": 20 * 0.25,
        "evaluate": evaluations * 2.0,
        "checkpoint": checkpoints * 0.5,
        "total": 7.0 + 20 * 0.25 + evaluations * 2.0 + checkpoints * 0.5,
    }


def test_a_finished_cell_is_not_run_again(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options, "--methods", "steady"]) == 0
    before = results(tmp_path)["steady"]
    monkeypatch.delattr(fakes.Steady, "train")
    assert main([*options, "--methods", "steady"]) == 0
    assert results(tmp_path)["steady"] == before
    assert capsys.readouterr().out.count("\nSteady ") == 2


def test_a_failed_cell_is_kept_and_tried_again_and_the_others_go_on(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options, "--methods", "exploding,steady"]) == 1
    failed, done = results(tmp_path)["exploding"], results(tmp_path)["steady"]
    assert (failed.status, done.status) == ("failed", "done")
    assert failed.reason == "NonFiniteLossError: train: the loss is nan at step 2 of 3; try a lower lr"
    assert "Traceback" in failed.details["traceback"]
    out = capsys.readouterr().out
    assert "Failed: Coin, Exploding, seed 0: NonFiniteLossError" in out
    assert main([*options, "--methods", "exploding"]) == 1


def test_a_bug_is_not_taken_for_a_failed_cell(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fakes.Steady, "train")
    with pytest.raises(AttributeError):
        main([*options, "--methods", "steady"])


def test_the_curve_has_one_entry_per_epoch(options: list[str], tmp_path: Path) -> None:
    assert main([*options, "--methods", "steady", "--set", "run.curve=true"]) == 0
    curve = results(tmp_path)["steady"].curve
    assert list(curve) == ["1", "2", "3"]
    assert curve["2"]["validation"]["accuracy"] == pytest.approx(1.0, rel=1e-5)


def test_an_undefined_metric_is_none(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes.FakeTask, "score", lambda *_: {"accuracy": float("nan")})
    assert main([*options, "--methods", "steady"]) == 0
    assert results(tmp_path)["steady"].metrics == {"validation": {"accuracy": None}}


def test_a_trained_cell_whose_method_reports_an_infinite_value_is_kept_with_none_for_it(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = fakes.Steady.train

    def with_details(method: fakes.Steady, problem: Problem) -> Outcome:
        history = [{"second_order_share": float("inf")}, {"second_order_share": 0.25}]
        return replace(train(method, problem), details={"history": history, "loss": float("nan"), "steps": 3})

    monkeypatch.setattr(fakes.Steady, "train", with_details)
    assert main([*options, "--methods", "steady"]) == 0
    result = results(tmp_path)["steady"]
    assert result.status == "done"
    assert result.details["history"] == [{"second_order_share": None}, {"second_order_share": 0.25}]
    assert (result.details["loss"], result.details["steps"]) == (None, 3)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_stops_at_the_next_step_and_the_next_run_goes_on(
    options: list[str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    options = [*options, "--methods", "steady", "--set=training.steps=40", "--set=run.curve=true"]
    errors = tmp_path / "errors"
    runner = forked(lambda: main([*options, "--set=methods.steady.step_seconds=0.05"]), errors)
    assert comes_true(lambda: list(tmp_path.glob("runs/*/*/*/epochs.jsonl")))
    os.kill(runner.pid or 0, number)
    assert ended(runner) == status
    assert "goes on from there" in errors.read_text("utf-8")
    assert "Traceback" not in errors.read_text("utf-8")
    (checkpoint,) = tmp_path.glob("runs/*/*/*/checkpoints/*")
    assert main([*options, "--set=methods.steady.step_seconds=0.05"]) == 0
    result = results(tmp_path)["steady"]
    assert result.resumed
    assert result.score == pytest.approx(20.0, rel=1e-5)
    assert list(result.curve) == [str(epoch) for epoch in range(1, 41)]
    assert not checkpoint.exists()


def test_a_second_interrupt_stops_at_once() -> None:
    with StopOnSignal() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stop.exit_status == 130


def test_a_store_that_cannot_be_written_ends_the_run_before_training(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Store) -> None:
        raise InputError("cannot write runs: Read-only file system")

    monkeypatch.setattr(Store, "check_writable", refuse)
    assert main([*options, "--methods", "steady"]) == 2
    assert capsys.readouterr().err.endswith("error: cannot write runs: Read-only file system\n")
    assert not results(tmp_path)


def test_a_full_disk_under_a_checkpoint_is_one_line(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "runs/train.safetensors")

    monkeypatch.setattr(fakes.Steady, "train", full)
    assert main([*options, "--methods", "steady"]) == 2
    assert "cannot write runs/train.safetensors: No space left on device" in capsys.readouterr().err


def test_result_files_hold_plain_json(options: list[str], tmp_path: Path) -> None:
    main([*options, "--methods", "steady"])
    (path,) = tmp_path.glob("runs/*/*/*/result.json")
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == SCHEMA


def test_a_method_gets_the_ranks_of_the_cell_that_it_needs(options: list[str], tmp_path: Path) -> None:
    assert main([*options, "--methods", "twice,follower"]) == 0
    found = results(tmp_path)
    assert found["steady"].ranks == found["follower"].ranks == {"query": 4}
    assert found["twice"].ranks == {"query": 8}
    assert found["twice"].fingerprints["ranks"] == found["steady"].configuration


def test_cells_that_need_a_failed_cell_fail_with_a_reason(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes.Steady, "train", fakes.Exploding.train)
    assert main([*options, "--methods", "follower"]) == 1
    assert results(tmp_path)["follower"].reason == "ValueError: there are no ranks to follow"


def weights_by_epoch(options: list[str], tmp_path: Path, *switches: str) -> Any:
    """The fake's score is its weight, which grows from step to step: 0.5, 1.0, 1.5; or falls, at a rate below 0."""
    assert main([*options, "--methods", "steady", *switches]) == 0
    return results(tmp_path)["steady"]


def test_the_last_epoch_counts_unless_another_is_chosen(options: list[str], tmp_path: Path) -> None:
    assert weights_by_epoch(options, tmp_path).score == pytest.approx(1.5, rel=1e-5)


@pytest.mark.parametrize("epoch", ["best-on-dev", "held-out"])
def test_the_best_epoch_is_chosen_on_the_split_that_the_protocol_names(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: str
) -> None:
    monkeypatch.setattr(
        fakes.FakeTask, "score", lambda _, prediction: {"accuracy": 100 - 100 * prediction.scores[0][0]}
    )
    found = weights_by_epoch(options, tmp_path, "--set", f"protocol.epoch={epoch}")
    assert found.score == pytest.approx(99.5, rel=1e-5)  # the first of three
    assert found.protocol == f"clean, epoch={epoch}"
    assert set(found.metrics) == {"validation"} | ({"held_out"} if epoch == "held-out" else set())
    assert found.split == "validation"


def test_a_missing_package_is_named_and_no_cell_is_called_failed(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: Any) -> None:
        raise ImportError("the engine 'betty' needs betty-ml: pip install it")

    monkeypatch.setattr(fakes.Steady, "train", missing)
    assert main([*options, "--methods", "steady"]) == 2
    assert "error: the engine 'betty' needs betty-ml" in capsys.readouterr().err
    assert not results(tmp_path)


@pytest.mark.parametrize("collapsed", [False, True])
def test_a_result_says_whether_its_cell_has_collapsed(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, collapsed: bool
) -> None:
    if not collapsed:  # the fake task's predictions are all equal
        monkeypatch.setattr(fakes.FakeTask, "predict", lambda _, __, examples, *___: right(examples))
    assert main([*options, "--methods", "steady,exploding"]) == 1
    found = results(tmp_path)
    assert found["steady"].collapsed is collapsed
    assert not found["steady"].notes
    assert found["exploding"].collapsed is None  # it failed, and predicted nothing


def right(examples: Sequence[Any]) -> Prediction:
    labels = [example["labels"] for example in examples]
    return Prediction(labels=labels, predictions=labels, scores=[[1.0, 0.0]] * len(labels))


@pytest.mark.parametrize("training", [False, True])
def test_a_result_says_whether_its_evaluation_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, training: bool
) -> None:
    if training:
        monkeypatch.setattr(evaluation, "evaluation_mode", fakes.in_training_mode)
    model = str(save_encoder(tmp_path / "model"))
    runner = ["run", "--tasks", "rte", "--methods", "lora", "--seeds", "1", "--model", model, "--runs", str(tmp_path)]
    assert main([*runner, "--max-steps", "1", "--set", "run.max_length=32", "--set", "run.dropout=0.3", "--quiet"]) == 0
    (result,) = Store(folder=tmp_path).results()
    assert result.details["evaluation_repeats"] is not training


def test_a_clock_that_is_set_back_changes_no_result_and_loses_no_checkpoint(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*options, "--methods", "steady", "--runs", str(tmp_path / "steady-clock")]) == 0
    hours = count()
    monkeypatch.setattr(time, "time", lambda: 1e9 - 3600 * next(hours))
    monkeypatch.setattr(attempt, "_now", lambda: "1970-01-01T00:00:00+00:00")
    kept = []
    monkeypatch.setattr(loop, "save_checkpoint", lambda path, _: kept.append(path.name))
    assert main([*options, "--methods", "steady", "--set", "run.checkpoint_seconds=0"]) == 0
    (expected,) = Store(folder=tmp_path / "steady-clock").results()
    result = results(tmp_path)["steady"]
    assert kept
    assert result.fingerprints == expected.fingerprints
    assert result.metrics == expected.metrics
    assert all(seconds >= 0 for seconds in result.seconds.values())
