"""Cells that run out of memory: trained again with halved batches, and failed if that is not enough."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.store.store import Store
from tests.support import fakes


def results(folder: Path) -> dict[str, Any]:
    return {result.method: result for result in Store(folder=folder / "runs").results()}


def test_out_of_memory_fails_the_cell_and_no_other_runtime_error_does(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    def broken(*_: Any) -> None:
        raise RuntimeError("shapes do not fit")

    def illegal(*_: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(fakes.Exploding, "train", out_of_memory)
    assert main([*options, "--methods", "exploding"]) == 1
    monkeypatch.setattr(fakes.Exploding, "train", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        main([*options, "--methods", "exploding"])
    monkeypatch.setattr(fakes.Exploding, "train", illegal)
    with pytest.raises(RuntimeError, match="illegal"):  # the device is of no more use to other cells
        main([*options, "--methods", "exploding"])


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory. Tried to allocate"), MemoryError()])
def test_a_cell_that_runs_out_of_memory_goes_on_with_halved_batches_and_says_so(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert main([*options, "--methods", "steady"]) == 0
    undisturbed = results(tmp_path)["steady"]
    (tmp_path / "runs").rename(tmp_path / "before")
    train = fakes.Steady.train

    def hungry(method: Any, problem: Any) -> Any:
        if method.training.micro_batches == 1:
            raise error
        return train(method, problem)

    monkeypatch.setattr(fakes.Steady, "train", hungry)
    assert main([*options, "--methods", "steady"]) == 0
    result = results(tmp_path)["steady"]
    assert any("Memory ran out" in note for note in result.notes)
    assert (result.identity, result.fingerprints) == (undisturbed.identity, undisturbed.fingerprints)


def test_a_cell_that_runs_out_of_memory_twice_fails(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(method: Any, _: Any) -> Any:
        raise RuntimeError(f"CUDA out of memory with {method.training.micro_batches} parts")

    monkeypatch.setattr(fakes.Steady, "train", hungry)
    assert main([*options, "--methods", "steady"]) == 1
    result = results(tmp_path)["steady"]
    assert (result.status, result.reason) == ("failed", "RuntimeError: CUDA out of memory with 2 parts")
