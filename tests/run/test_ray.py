"""Cells on a Ray cluster of several nodes, all of them on this machine."""

# ruff: noqa: S603  the commands are our own

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.cli.main import main
from benchmarks.core.locks import is_held
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support import fakes
from tests.support.faults import CELLS, fate
from tests.support.paths import ROOT
from tests.support.processes import HANG_SECONDS, comes_true
from tests.support.ray_node import FAULTS, FOLDER

PROGRAM = f"""
import os, sys
from tests.support import fakes
fakes.install()
from benchmarks.cli import main
from benchmarks.run.ray import connection
plain = connection.runtime_env

def with_fakes(code):
    told = plain(code)
    told["env_vars"] |= {{name: os.environ[name] for name in ("{FOLDER}", "{FAULTS}") if name in os.environ}}
    return told | {{"worker_process_setup_hook": "tests.support.ray_node.install"}}

connection.runtime_env = with_fakes
sys.exit(main.main())
"""
LONG = ("--methods=steady", "--set=training.steps=300", "--set=methods.steady.step_seconds=0.05")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the nodes keep cells while they run."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture(scope="module")
def cluster(temporary: Path) -> Iterator[Any]:
    """A head that runs no cells and two nodes for one each, on the loopback interface."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("TMPDIR", str(temporary))
        utils = pytest.importorskip("ray.cluster_utils")
        here = {"node_ip_address": "127.0.0.1"}
        made = utils.Cluster(initialize_head=True, head_node_args={**here, "num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            made.add_node(**here, num_cpus=1)
        yield made
        made.shutdown()


@pytest.fixture
def start(cluster: Any, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a run on the cluster, which does not outlive the test."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> subprocess.Popen[str]:
        begun.append(command(tmp_path, f"--ray={cluster.address}", *options))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()


def command(folder: Path, *options: str) -> subprocess.Popen[str]:
    """A run in a process of its own, whose nodes have the fakes."""
    arguments = ["run", f"--preset={fakes.write_preset(folder)}", "--tasks=coin", "--runs=runs", *options]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | {FOLDER: str(folder)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], status: int = 0) -> str:
    """What a command that ended with this status said."""
    out, errors = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    return out + errors


def results(folder: Path) -> list[Result]:
    return sorted(Store(folder=folder).results(), key=lambda result: (result.method, result.seed))


def told(folder: Path, name: str) -> list[str]:
    """One line per call on a node."""
    path = folder / name
    return path.read_text("utf-8").splitlines() if path.exists() else []


def test_a_cluster_gives_the_bits_of_this_machine_with_code_that_was_sent(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--methods=follower,exploding,steady", "--seeds=3")
    said = ended(start(*options), status=1)
    assert "FAILED: NonFiniteLossError" in said
    fakes.install(monkeypatch.setattr)
    local = ["run", "--workers=1", f"--preset={tmp_path / 'fake.toml'}", "--tasks=coin", f"--runs={tmp_path / 'local'}"]
    assert main([*local, *options]) == 1
    ours, theirs = results(tmp_path / "local"), results(tmp_path / "runs")
    assert len(theirs) == 9
    for mine, its in zip(ours, theirs, strict=True):
        assert (mine.identity, mine.status, mine.fingerprints) == (its.identity, its.status, its.fingerprints)
        assert (mine.metrics, mine.ranks, mine.config) == (its.metrics, its.ranks, its.config)
        assert mine.environment == its.environment
    names = [sorted(path.name for path in (tmp_path / store).rglob("*")) for store in ("local", "runs")]
    assert names[0] == names[1]
    assert all(str(ROOT) not in line for line in told(tmp_path, "trained"))


def test_a_process_opens_the_weights_once_for_all_its_cells(start: Any, tmp_path: Path) -> None:
    ended(start("--methods=steady", "--seeds=8"))
    assert len(told(tmp_path, "trained")) == 8
    opened = told(tmp_path, "opened")
    assert len(opened) == len(set(opened)) <= 2


def test_a_cell_of_a_killed_node_runs_again_on_another_one(start: Any, cluster: Any, tmp_path: Path) -> None:
    process = start(*LONG, "--seeds=2", "--set=training.steps=100")
    assert comes_true(lambda: len(told(tmp_path, "trained")) == 2)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    ended(process)
    assert len(told(tmp_path, "trained")) == 3
    cluster.add_node(node_ip_address="127.0.0.1", num_cpus=1)
    assert [(result.status, result.resumed) for result in results(tmp_path / "runs")] == [("done", False)] * 2
    assert len({result.fingerprints["predictions"] for result in results(tmp_path / "runs")}) == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_cancels_all_cells_and_leaves_nothing_behind(
    start: Any, tmp_path: Path, temporary: Path, number: signal.Signals, status: int
) -> None:
    left_before = set(temporary.glob("autolora-bench-*"))  # a killed node's
    process = start(*LONG, "--seeds=3")
    assert comes_true(lambda: len(told(tmp_path, "trained")) == 2)
    process.send_signal(number)
    assert "stopped with 3 of 3 cells to do; the same command goes on from there" in ended(process, status)
    assert set(temporary.glob("autolora-bench-*")) <= left_before
    assert not any(path.is_file() for path in (tmp_path / "runs").rglob("*"))
    assert [is_gone(line) for line in told(tmp_path, "trained")] == [True] * 2


def test_after_a_killed_driver_nothing_goes_on_and_the_same_command_takes_what_is_there(
    start: Any, tmp_path: Path
) -> None:
    options = ("--methods=steady", "--set=training.steps=20", "--set=methods.steady.step_seconds=0.1", "--seeds=4")
    process = start(*options)
    assert comes_true(lambda: bool(results(tmp_path / "runs")) and len(told(tmp_path, "trained")) > 2)
    process.kill()
    process.wait()
    before = results(tmp_path / "runs")
    assert 1 <= len(before) < 4
    assert comes_true(lambda: all(map(is_gone, told(tmp_path, "trained"))))
    assert not any(is_held(lock.parent) for lock in (tmp_path / "runs").rglob(".lock"))
    (tmp_path / "trained").unlink()
    ended(start(*options))
    assert len(told(tmp_path, "trained")) == 4 - len(before)
    after = results(tmp_path / "runs")
    assert len({result.fingerprints["predictions"] for result in after}) == 1
    assert [result for result in after if result.seed in {old.seed for old in before}] == before


def is_gone(line: str) -> bool:
    """Whether the process has ended that a line on a node is of."""
    return not Path("/proc", line.split(maxsplit=1)[0]).exists()


def test_a_ray_of_its_own_is_reached_from_this_machine_alone_and_ends_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    for name, value in {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    left_before = set(Path("/tmp").glob("autolora-bench-*"))  # noqa: S108  where a private Ray has its sockets
    process = command(tmp_path, "--ray=local", *LONG)
    assert comes_true(lambda: bool(told(tmp_path, "trained")))
    processes = psutil.Process(process.pid).children(recursive=True)
    ports = [found.laddr.ip for each in processes for found in each.net_connections("inet") if found.status == "LISTEN"]
    process.send_signal(signal.SIGINT)
    ended(process, 130)
    assert len(ports) > 3
    assert {ip.removeprefix("::ffff:") for ip in ports} <= {"127.0.0.1", "::1"}
    psutil.wait_procs(processes, timeout=HANG_SECONDS)
    assert not [each for each in processes if each.is_running()]
    assert set(Path("/tmp").glob("autolora-bench-*")) == left_before  # noqa: S108
    assert not (tmp_path / ".ray").exists()


@pytest.mark.timeout(1800)
def test_of_two_thousand_cells_none_is_lost(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FAULTS, "1")
    began = time.monotonic()
    process = start("--methods=steady", f"--seeds={CELLS}", "--quiet")
    _, errors = process.communicate(timeout=1700)
    seconds = time.monotonic() - began
    assert process.returncode == 1, errors
    found = results(tmp_path / "runs")
    assert [result.seed for result in found] == list(range(CELLS))
    for result in found:
        expected = "done" if fate(result.seed, may_be_killed=True) in ("", "is killed once") else "failed"
        assert result.status == expected
        assert expected == "done" or result.reason
    assert not list((tmp_path / "runs").rglob("*.partial"))
    assert not list((tmp_path / "runs").rglob(".lock"))
    print(f"Ray: {seconds / CELLS:.3f} s a cell")  # noqa: T201  a figure for the docs
