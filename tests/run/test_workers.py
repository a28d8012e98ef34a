import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.core.settings import load_settings
from benchmarks.run import launch
from benchmarks.run.launch import Request, Scope
from benchmarks.run.machine import environment
from benchmarks.run.pool import workers
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support import fakes
from tests.support.processes import comes_true, ended, forked, is_gone

SLOW = ("--methods=steady", "--seeds=2", "--set=training.steps=40", "--set=methods.steady.step_seconds=0.05")


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setattr(workers, "START_METHOD", "fork")  # so that the workers have the fakes
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset = str(fakes.write_preset(tmp_path))
    return ["run", "--workers=2", "--preset", preset, "--tasks=coin", "--runs", str(tmp_path / "runs")]


def results(folder: Path) -> list[Result]:
    return sorted(Store(folder=folder / "runs").results(), key=lambda result: (result.method, result.seed))


def start(options: list[str], errors: Path) -> BaseProcess:
    """The command in a process group of its own, once both cells have a checkpoint."""
    process = forked(lambda: main([*options, *SLOW, "--set=run.checkpoint_seconds=0"]), errors)
    checkpoints = errors.parent / "runs"
    assert comes_true(lambda: len(list(checkpoints.glob("*/*/*/checkpoints/*.safetensors"))) == 2)
    return process


def test_two_workers_give_what_one_gives(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options, "--methods=steady", "--seeds=3"]) == 0
    table = capsys.readouterr().out
    several = results(tmp_path)
    (tmp_path / "runs").rename(tmp_path / "before")
    assert main([*options, "--methods=steady", "--seeds=3", "--workers=1"]) == 0
    alone = results(tmp_path)
    assert [result.seed for result in several] == [0, 1, 2]
    assert [result.fingerprints for result in several] == [result.fingerprints for result in alone]
    assert capsys.readouterr().out == table


def test_a_finished_cell_is_not_run_again(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*options, "--methods=steady", "--seeds=2"]) == 0
    before = results(tmp_path)
    monkeypatch.delattr(fakes.Steady, "train")
    assert main([*options, "--methods=steady", "--seeds=2"]) == 0
    assert results(tmp_path) == before


def test_a_failed_cell_is_kept_and_the_others_go_on(options: list[str], tmp_path: Path) -> None:
    assert main([*options, "--methods=exploding,steady", "--seeds=2"]) == 1
    assert [result.status for result in results(tmp_path)] == ["failed", "failed", "done", "done"]


def test_a_cell_whose_worker_was_killed_goes_on_in_another(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = fakes.Steady.train

    def die_once(method: Any, problem: Any) -> Any:
        mark = tmp_path / f"died-{problem.seed}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return train(method, problem)

    monkeypatch.setattr(fakes.Steady, "train", die_once)
    assert main([*options, "--methods=steady", "--seeds=2"]) == 0
    assert "Steady" in capsys.readouterr().out
    assert [result.status for result in results(tmp_path)] == ["done", "done"]


def test_a_cell_that_kills_its_workers_is_kept_as_failed_and_the_others_go_on(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(fakes.Exploding, "train", die)
    assert main([*options, "--methods=exploding,steady", "--seeds=2"]) == 1
    message = capsys.readouterr().err
    assert "coin exploding seed 1: FAILED: its process ended with exit status -9, 3 times" in message
    assert "fewer --workers need less" in message
    found = [(result.method, result.status) for result in results(tmp_path)]
    assert found == [("exploding", "failed")] * 2 + [("steady", "done")] * 2


def test_cells_that_kill_even_what_keeps_their_failure_are_named(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, parent = fakes.FakeTask.prepare, os.getpid()

    def die(*arguments: Any) -> Any:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return prepare(*arguments)

    monkeypatch.setattr(fakes.FakeTask, "prepare", die)
    assert main([*options, "--methods=steady", "--seeds=2"]) == 2
    assert "coin steady seed 1: its process ended with exit status -9" in capsys.readouterr().err
    assert not results(tmp_path)


def test_a_worker_runs_many_cells(options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = fakes.Steady.train

    def noted(method: Any, problem: Any) -> Any:
        (tmp_path / f"process-{os.getpid()}").touch()
        return train(method, problem)

    monkeypatch.setattr(fakes.Steady, "train", noted)
    assert main([*options, "--methods=steady", "--seeds=9"]) == 0
    assert len(results(tmp_path)) == 9
    assert len(list(tmp_path.glob("process-*"))) == 2


def test_a_bug_in_a_worker_ends_the_run_and_shows_where(options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fakes.Steady, "train")
    with pytest.raises(RuntimeError, match=r"coin steady seed \d\nTraceback[^$]*AttributeError"):
        main([*options, "--methods=steady", "--seeds=2"])


def test_a_full_disk_in_a_worker_is_one_line(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "runs/train.safetensors")

    monkeypatch.setattr(fakes.Steady, "train", full)
    assert main([*options, "--methods=steady", "--seeds=2"]) == 2
    assert "cannot write runs/train.safetensors: No space left on device" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "kill", "status"),
    [(signal.SIGTERM, os.kill, 75), (signal.SIGINT, os.killpg, 130), (signal.SIGTERM, os.killpg, 75)],
)
def test_a_signal_stops_all_workers_and_the_next_run_goes_on(
    options: list[str], tmp_path: Path, number: signal.Signals, kill: Any, status: int
) -> None:
    errors = tmp_path / "errors"
    process = start(options, errors)
    kill(process.pid, number)
    assert ended(process) == status
    assert "stopped with 2 of 2 cells to do; the same command goes on from there" in errors.read_text("utf-8")
    assert "Traceback" not in errors.read_text("utf-8")
    assert comes_true(lambda: is_gone(process.pid))
    assert main([*options, *SLOW, "--set=methods.steady.step_seconds=0.05"]) == 0
    assert [(result.resumed, result.score) for result in results(tmp_path)] == [(True, pytest.approx(20.0))] * 2


def test_workers_end_when_the_run_was_killed(options: list[str], tmp_path: Path) -> None:
    process = start(options, tmp_path / "errors")
    process.kill()
    assert ended(process) == -signal.SIGKILL
    assert comes_true(lambda: is_gone(process.pid))
    assert not results(tmp_path)
    assert main([*options, *SLOW]) == 0
    assert [(result.resumed, result.score) for result in results(tmp_path)] == [(True, pytest.approx(20.0))] * 2


@pytest.mark.parametrize(
    ("asked", "cells", "memory", "workers_and_threads"),
    [
        (None, 8, 1e12, (4, 1)),  # one per core
        (None, 3, 1e12, (3, 1)),  # as many as cells, with the threads that more cells would get
        (None, 8, 4e9, (2, 1)),  # as many as the memory holds
        (2, 8, 1e12, (2, 2)),
        (8, 8, 1e12, (8, 1)),
        (1, 8, 1e12, (1, 4)),
    ],
)
@pytest.mark.usefixtures("options")
def test_workers_share_the_cores(  # noqa: PLR0917  a table of cases
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: int | None,
    cells: int,
    memory: float,
    workers_and_threads: tuple[int, int],
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(launch, "memory_bytes", lambda: memory)
    settings = load_settings(str(tmp_path / "fake.toml"), {"run": {"seeds": list(range(cells))}})
    scope = Scope(settings=settings, tasks=["coin"], methods=["steady"])
    plan, _ = launch.plan(Request(scopes=[scope], store=Store(folder=tmp_path / "runs"), workers=asked))
    assert (plan.workers, plan.threads) == workers_and_threads
    environment.configure_process(1)


def test_at_least_one_worker_is_asked_for(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*options, "--methods=steady", "--workers=0"]) == 2
    assert "workers must be at least 1; got 0" in capsys.readouterr().err
