"""Cells that two processes train together, begun by torch's launcher: the results of one process, whatever dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.paths import ROOT
from tests.support.processes import HANG_SECONDS, comes_true, is_gone

pytestmark = pytest.mark.slow
METHODS = ("lora", "adalora", "autolora")
OPTIONS = (
    "--tasks", "rte", "--methods", ",".join(METHODS), "--seeds", "1", "--max-steps", "12", "--set", "training.batch_size=7",
    "--precision", "fp32", "--set", "run.curve=true", "--set", "run.checkpoint_seconds=0.01",
)  # fmt: skip
LAUNCHER = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")


def begin(runs: Path, *command: str, processes: int = 2) -> subprocess.Popen[str]:
    """A command of the benchmark in a process group of its own."""
    launcher = LAUNCHER if processes > 1 else ()
    return subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, *launcher, "-m", "benchmarks", *command, "--runs", str(runs)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(runs: Path, *command: str, processes: int = 2) -> tuple[int, str, str]:
    """Exit status and what was said."""
    process = begin(runs, *command, processes=processes)
    said, complained = process.communicate(timeout=HANG_SECONDS)
    assert comes_true(lambda: is_gone(process.pid))
    return process.returncode, said, complained


def results(runs: Path) -> dict[str, Result]:
    return {result.method: result for result in Store(folder=runs).results()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    runs = tmp_path_factory.mktemp("undisturbed")
    status, said, complained = finish(runs, "run", *OPTIONS)
    assert status == 0, complained
    return runs, said


def test_two_processes_predict_what_one_does(undisturbed: tuple[Path, str], tmp_path: Path) -> None:
    runs, _ = undisturbed
    status, _, complained = finish(tmp_path, "run", *OPTIONS, processes=1)
    assert status == 0, complained
    alone, together = results(tmp_path), results(runs)
    assert sorted(alone) == sorted(together) == sorted(METHODS)
    for method, result in alone.items():
        assert (result.environment.processes, together[method].environment.processes) == (1, 2)
        assert result.environment.key != together[method].environment.key
        scores = [
            torch.tensor(Store(folder=folder).predictions(found)["validation"]["scores"])
            for folder, found in ((tmp_path, result), (runs, together[method]))
        ]
        assert torch.allclose(*scores, rtol=0, atol=1e-5), method
        assert together[method].ranks == result.ranks


def test_only_the_leader_speaks(undisturbed: tuple[Path, str]) -> None:
    _, said = undisturbed
    assert said.count("Table 1") == 1


@pytest.mark.parametrize("sent", ["to the launcher", "to a member"])
def test_what_was_stopped_or_killed_goes_on_to_the_same_bits(
    undisturbed: tuple[Path, str], tmp_path: Path, sent: str
) -> None:
    runs, _ = undisturbed
    process = begin(tmp_path, "run", *OPTIONS)
    _wait_for_a_checkpoint(tmp_path, process)
    if sent == "to the launcher":
        process.terminate()
    else:
        os.kill(max(_children(process.pid)), signal.SIGKILL)
    process.communicate(timeout=HANG_SECONDS)
    assert process.returncode != 0
    assert comes_true(lambda: is_gone(process.pid))
    assert len(results(tmp_path)) < len(METHODS)

    status, _, complained = finish(tmp_path, "run", *OPTIONS)
    assert status == 0, complained
    for method, result in results(tmp_path).items():
        assert result.fingerprints == results(runs)[method].fingerprints
    assert any(result.resumed for result in results(tmp_path).values())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("measure", "cost"), "measure cost runs in one process; only run, tune can be launched in several"),
        (("run", "--workers", "2"), "leave out --ray and --workers"),
        (("run", "--device", "cuda:1"), "each process uses its own GPU: pass --device cuda; got cuda:1"),
    ],
)
def test_what_is_for_one_process_says_so(tmp_path: Path, command: tuple[str, ...], message: str) -> None:
    status, _, complained = finish(tmp_path, *command)
    assert status != 0
    assert message in complained


def _wait_for_a_checkpoint(runs: Path, process: subprocess.Popen[str]) -> None:
    found = "*/*/*/checkpoints/*.safetensors"
    assert comes_true(lambda: process.poll() is not None or list(runs.glob(found)))
    assert process.poll() is None


def _children(parent: int) -> Iterator[int]:
    """The processes that a process has begun (Linux)."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        if int(fields[1]) == parent:
            yield int(path.parent.name)
