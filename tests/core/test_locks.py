import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from autolora.compute.runtime import Interrupted
from benchmarks.cli.main import main
from benchmarks.core.locks import held, is_held
from benchmarks.store.store import Store
from tests.support import fakes
from tests.support.processes import comes_true, ended, forked


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options of a run whose cells append their seed to a file when they are trained."""
    train = fakes.Steady.train

    def counted(method: Any, problem: Any) -> Any:
        with (tmp_path / "trained").open("a") as file:
            file.write(f"{problem.seed}\n")
        return train(method, problem)

    fakes.install(monkeypatch.setattr)
    monkeypatch.setattr(fakes.Steady, "train", counted)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset, runs = fakes.write_preset(tmp_path), tmp_path / "runs"
    return ["run", "--workers=1", f"--preset={preset}", "--tasks=coin", "--methods=steady", f"--runs={runs}"]


def trained(folder: Path) -> Counter[str]:
    path = folder / "trained"
    return Counter(path.read_text("utf-8").split() if path.exists() else [])


def test_two_runs_on_one_store_share_the_cells_and_run_each_once(options: list[str], tmp_path: Path) -> None:
    slow = ["--set=methods.steady.step_seconds=0.03", "--set=training.steps=10"]
    runs = [forked(lambda: main([*options, *slow, "--seeds=6"])) for _ in range(2)]
    assert [ended(run) for run in runs] == [0, 0]
    assert trained(tmp_path) == Counter("012345")
    assert not list(tmp_path.rglob(".lock"))
    assert len(list(Store(folder=tmp_path / "runs").results())) == 6


def test_a_lock_does_not_outlive_a_killed_owner(options: list[str], tmp_path: Path) -> None:
    first = forked(lambda: main([*options, "--seeds=1", "--set=methods.steady.step_seconds=60"]))
    assert comes_true(lambda: trained(tmp_path))
    (lock,) = tmp_path.rglob(".lock")
    assert is_held(lock.parent)
    first.kill()
    assert ended(first) == -signal.SIGKILL
    assert not is_held(lock.parent)
    assert main([*options, "--seeds=1"]) == 0


def test_waiting_for_a_lock_can_be_stopped(tmp_path: Path) -> None:
    with held(tmp_path, lambda: False):
        assert is_held(tmp_path)
        with pytest.raises(Interrupted, match="another run"), held(tmp_path, lambda: True):
            pass
    assert not is_held(tmp_path)


def test_a_lock_file_removed_on_release_still_excludes_other_owners(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")

    def count() -> None:
        for _ in range(50):
            with held(tmp_path, lambda: False):
                (tmp_path / "count").write_text(str(int((tmp_path / "count").read_text()) + 1))

    assert [ended(process) for process in [forked(count) for _ in range(4)]] == [0] * 4
    assert (tmp_path / "count").read_text() == "200"
