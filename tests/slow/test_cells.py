"""Whole cells of the benchmark, with real weights, in processes of their own."""

# ruff: noqa: S603  the commands are our own

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.processes import comes_true, is_gone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
METHODS = ("full", "adapter", "lora", "adalora", "autolora")


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks", "run", "--tasks", "cola", "--runs", str(folder), *options]


def finish(folder: Path, *options: str) -> dict[str, Result]:
    subprocess.run(command(folder, *options), check=True, capture_output=True)
    return {result.method: result for result in Store(folder=folder).results()}


def kill_in_training(folder: Path, options: tuple[str, ...], rng: random.Random) -> None:
    """Start a run and kill it without warning, a random while after its first checkpoint."""
    process = subprocess.Popen(command(folder, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(folder.glob("*/*/*/checkpoints/*.safetensors")):
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 1.5))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run was over before it could be killed"


@pytest.mark.parametrize("method", METHODS)
def test_a_cell_that_was_killed_twice_ends_with_the_bits_of_an_undisturbed_one(method: str, tmp_path: Path) -> None:
    options = ("--methods", method, "--max-steps", "80", "--set", "run.checkpoint_seconds=0.2")
    rng = random.Random(method)
    for _ in range(2):
        kill_in_training(tmp_path / "killed", options, rng)
    resumed = finish(tmp_path / "killed", *options)[method]
    undisturbed = finish(tmp_path / "undisturbed", *options)[method]
    assert resumed.resumed
    assert not undisturbed.resumed
    assert resumed.fingerprints == undisturbed.fingerprints
    assert resumed.ranks == undisturbed.ranks
    assert resumed.metrics == undisturbed.metrics


def test_workers_that_were_killed_leave_nothing_running_and_end_with_the_same_bits(tmp_path: Path) -> None:
    options = ("--methods", "lora,full", "--max-steps", "80", "--workers", "2", "--set", "run.checkpoint_seconds=0.2")
    process = subprocess.Popen(command(tmp_path / "killed", *options), start_new_session=True)
    while process.poll() is None and len(list(tmp_path.glob("killed/*/*/*/checkpoints/*.safetensors"))) < 2:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert comes_true(lambda: is_gone(process.pid))
    resumed, undisturbed = finish(tmp_path / "killed", *options), finish(tmp_path / "undisturbed", *options)
    assert {name: result.fingerprints for name, result in resumed.items()} == {
        name: result.fingerprints for name, result in undisturbed.items()
    }
    assert all(result.resumed for result in resumed.values())


def test_the_papers_setting_runs_through_every_method_without_its_weights(tmp_path: Path) -> None:
    options = ("--preset", "paper", "--model", "random:roberta-base", "--data", "embedded", "--max-steps", "2")
    found = finish(tmp_path, *options, "--seeds", "1")
    assert set(found) == set(METHODS)
    assert all(result.status == "done" for result in found.values())
    assert found["lora"].trainable_parameters == 147_456  # 0.15M: r = 4 in 24 projections of 768 x 768
    assert found["adapter"].trainable_parameters == 903_744  # Table 1: 0.9M
    assert found["full"].head_parameters == 592_130
