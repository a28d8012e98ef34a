"""Cells that are killed without warning at every stage, method by method, and end as if nothing had happened."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from autolora import files
from autolora.training import loop
from benchmarks.cli.main import main
from benchmarks.core import registry
from benchmarks.run import cell
from benchmarks.store import store
from benchmarks.store.result import Result
from benchmarks.store.store import Store, read_result
from tests.support import tiny

pytestmark = pytest.mark.slow
STEPS = 6
Kill = Callable[[pytest.MonkeyPatch, random.Random], None]


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A few steps of a tiny encoder on a generated task, with a checkpoint after each and a score after each epoch."""
    folder = tmp_path_factory.mktemp("model")
    tiny.save_encoder(folder)
    settings = [
        "run.max_length=32",
        "methods.lora_grid.ranks=[1,3]",
        "run.checkpoint_seconds=0",
        "run.dropout=0.1",
        "run.curve=true",
    ]
    sizes = ["--max-steps", str(STEPS), "--workers", "1", "--quiet"]
    return ["--model", str(folder), *sizes, *(part for setting in settings for part in ("--set", setting))]


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose call of that number is the process's end."""
    calls = iter(range(1, 10**9))

    def counted(*arguments: Any, **options: Any) -> Any:
        return die() if next(calls) == number else function(*arguments, **options)

    return counted


def at_the_start(patch: pytest.MonkeyPatch, rng: random.Random) -> None:
    patch.setattr(cell, rng.choice(["apply_procedure", "needed_ranks"]), die)


def between_two_steps(patch: pytest.MonkeyPatch, rng: random.Random) -> None:
    patch.setattr(loop, "Progress", at_call(rng.randint(1, STEPS // 2), loop.Progress))


def in_a_checkpoint(patch: pytest.MonkeyPatch, rng: random.Random) -> None:
    """Once the bytes are in the temporary file, or as it is about to take the other's place."""
    save = at_call(rng.randint(1, STEPS // 2), files.os.fsync)
    patch.setattr(files, "os", type("os", (), {"fsync": save, "getpid": os.getpid}))


def in_evaluation(patch: pytest.MonkeyPatch, _: random.Random) -> None:
    patch.setattr(cell, "predict", die)


def in_a_results_write(patch: pytest.MonkeyPatch, rng: random.Random) -> None:
    """In the write of the sums, the predictions or the result, whose order is not looked at."""
    write = store.write_atomically
    number = rng.randrange(1, 4)
    names = iter(range(1, 10**9))

    def half_written(path: Path, content: bytes) -> None:
        if path.name in (store.SUMS_FILE, store.PREDICTIONS_FILE, store.RESULT_FILE) and next(names) == number:
            path.with_name(files.PARTIAL.format(name=path.name, process=os.getpid())).write_bytes(content[:100])
            die()
        write(path, content)

    patch.setattr(store, "write_atomically", half_written)


PLACES = (at_the_start, between_two_steps, in_a_checkpoint, in_evaluation, in_a_results_write)


def run(
    options: list[str], method: str, folder: Path, kill: Kill | None = None, rng: random.Random | None = None
) -> int:
    """The exit status of a run in a process of its own, negative where a signal ended it."""
    if process := os.fork():
        _, status = os.waitpid(process, 0)
        return os.waitstatus_to_exitcode(status)
    try:
        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"
        patch = pytest.MonkeyPatch()
        if kill and rng:
            kill(patch, rng)
        os._exit(main(["run", "--tasks", "rte", "--methods", method, "--runs", str(folder), *options]))
    finally:
        os._exit(99)


def cells(folder: Path) -> dict[str, Result]:
    return {result.method: result for result in Store(folder=folder).results()}


def what_counts(result: Result) -> tuple[Any, ...]:
    """Of a result, all but times and where it ran."""
    return result.status, result.fingerprints, result.metrics, result.curve, result.ranks, result.notes


@pytest.mark.parametrize("method", registry.method_names())
def test_a_cell_killed_at_every_stage_ends_as_an_undisturbed_one(
    method: str, options: list[str], tmp_path: Path
) -> None:
    rng = random.Random(method)
    killed = tmp_path / "killed"
    if needed := registry.needed(method):
        assert run(options, needed, killed) == 0
    for place in PLACES:
        assert run(options, method, killed, place, rng) == -signal.SIGKILL, place.__name__
        for path in killed.rglob("result.json"):
            assert read_result(path)  # whole, where there is one
    assert run(options, method, killed) == 0
    assert run(options, method, tmp_path / "undisturbed") == 0
    ends, wanted = cells(killed), cells(tmp_path / "undisturbed")
    assert {name: what_counts(end) for name, end in ends.items()} == {
        name: what_counts(end) for name, end in wanted.items()
    }
    assert ends[method].resumed
    files = {path.relative_to(killed) for path in killed.rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(tmp_path / "undisturbed") for path in (tmp_path / "undisturbed").rglob("*") if path.is_file()
    }


def test_there_are_fifty_kills() -> None:
    assert len(PLACES) * len(registry.method_names()) >= 50
