# ruff: noqa: S603  the commands are our own

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from autolora.runtime import Interrupted
from benchmarks.locks import held, is_held
from benchmarks.store import Store
from tests import fakes

ROOT = Path(__file__).parent.parent
PROGRAM = """
import os, sys
from tests import fakes
fakes.install()
train = fakes.Steady.train

def counted(self, problem):
    with open(os.environ["TRAINED"], "a") as file:
        file.write(f"{problem.seed}\\n")
    return train(self, problem)

fakes.Steady.train = counted
from benchmarks import cli
sys.exit(cli.main())
"""


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    preset = fakes.write_preset(folder)
    arguments = [
        "run",
        "--workers=1",
        f"--preset={preset}",
        "--tasks=coin",
        "--methods=steady",
        f"--runs={folder / 'runs'}",
    ]
    slow = ("--set=training.steps=10", "--set=methods.steady.step_seconds=0.03", "--set=run.checkpoint_seconds=0")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments, *slow, *options],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TRAINED": str(folder / "trained"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(folder: Path) -> Counter[str]:
    path = folder / "trained"
    return Counter(path.read_text("utf-8").split() if path.exists() else [])


def test_two_runs_on_one_store_share_the_cells_and_each_is_run_once(tmp_path: Path) -> None:
    runs = [start(tmp_path, "--seeds=6") for _ in range(2)]
    assert [run.wait(90) for run in runs] == [0, 0], [run.stderr.read() for run in runs if run.stderr]
    assert trained(tmp_path) == Counter("012345")
    assert not list(tmp_path.rglob(".lock"))
    assert len(list(Store(folder=tmp_path / "runs").results())) == 6


def test_a_lock_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    first = start(tmp_path, "--seeds=1", "--set=methods.steady.step_seconds=0.5")
    deadline = time.monotonic() + 90
    while not trained(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    (lock,) = tmp_path.rglob(".lock")
    assert is_held(lock.parent)
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    assert not is_held(lock.parent)
    assert start(tmp_path, "--seeds=1", "--set=methods.steady.step_seconds=0.5").wait(90) == 0


def test_who_waits_for_a_cell_can_be_stopped(tmp_path: Path) -> None:
    with held(tmp_path, lambda: False):
        assert is_held(tmp_path)
        with pytest.raises(Interrupted, match="another run had"), held(tmp_path, lambda: True):
            pass
    assert not is_held(tmp_path)


def count_in_a_process(folder: Path) -> int:
    """Add 50 to a count, one by one, each time reading it first; returns the process."""
    if process := os.fork():
        return process
    try:
        for _ in range(50):
            with held(folder, lambda: False):
                (folder / "count").write_text(str(int((folder / "count").read_text()) + 1))
        os._exit(0)
    finally:
        os._exit(1)


def test_a_lock_that_goes_with_its_release_still_lets_in_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    processes = [count_in_a_process(tmp_path) for _ in range(4)]
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "200"
