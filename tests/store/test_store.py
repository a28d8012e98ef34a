import errno
import os
from pathlib import Path

import pytest

from benchmarks.core.spec import InputError, Prediction
from benchmarks.store import store
from benchmarks.store.store import DamagedError, Store, read_predictions, read_result, write_atomically, write_result
from tests.support.fakes import make_result


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = make_result(curve={"1": {"validation": {"matthews": None}}}, ranks={"query": 4}, partial=("train",))
    write_result(tmp_path / "result.json", result)
    assert read_result(tmp_path / "result.json") == result


def test_a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"old")

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InputError, match=r"cannot write .*result\.json: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_created_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file, no folder", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot write .*runs"):
        Store(folder=tmp_path / "runs").check_writable()


def test_checkpoints_are_removed_once_the_result_is_written(tmp_path: Path) -> None:
    folder = Store(folder=tmp_path).cell("cola", "lora", "a" * 64, "b" * 64)
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "train.safetensors").write_bytes(b"weights")
    prediction = Prediction(labels=[1], predictions=[0], scores=[[0.5, 0.25]])
    folder.write_result(make_result(), {"validation": prediction})
    assert not folder.checkpoints.exists()
    assert folder.path == tmp_path / "cola" / "lora" / f"{'a' * 12}-{'b' * 8}"
    assert read_predictions(folder.path / "predictions.json.gz")["validation"]["scores"] == [[0.5, 0.25]]


def test_another_run_reads_a_valid_result_at_any_moment_while_a_failed_one_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Store(folder=tmp_path).cell("cola", "lora", "a" * 64, "b" * 64)
    folder.write_result(make_result(status="failed", reason="out of memory"), {})
    write, found = store.write_atomically, []

    def then_read(path: Path, content: bytes) -> None:
        write(path, content)
        found.append(read_result(folder.path / "result.json").status)

    monkeypatch.setattr(store, "write_atomically", then_read)
    prediction = Prediction(labels=[1], predictions=[0], scores=[[0.5, 0.25]])
    folder.write_result(make_result(), {"validation": prediction})
    assert found == ["failed", "failed", "done", "done"]
    lines = (folder.path / "SHA256SUMS").read_text("utf-8").splitlines()
    assert [line.split()[1] for line in lines] == ["predictions.json.gz", "result.json"]


def test_checksums_that_are_replaced_while_a_result_is_read_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Store(folder=tmp_path).cell("cola", "lora", "a" * 64, "b" * 64)
    folder.write_result(make_result(status="failed", reason="out of memory"), {})
    read = store._content

    def replaced_before(path: Path) -> bytes:
        monkeypatch.setattr(store, "_content", read)
        folder.write_result(make_result(), {})
        return read(path)

    monkeypatch.setattr(store, "_content", replaced_before)
    assert read_result(folder.path / "result.json").status == "done"


def test_an_epoch_written_twice_is_kept_once(tmp_path: Path) -> None:
    folder = Store(folder=tmp_path).cell("cola", "lora", "a" * 64, "b" * 64)
    for epoch, value in ((1, 10.0), (2, 20.0), (2, 21.0)):
        folder.write_curve(folder.curve() | {epoch: {"validation": {"matthews": value}}})
    assert folder.curve() == {1: {"validation": {"matthews": 10.0}}, 2: {"validation": {"matthews": 21.0}}}


@pytest.mark.parametrize("content", ["{", "[]", '{"epoch": 1}', "3"])
def test_damaged_scores_of_epochs_are_an_error_with_a_remedy(tmp_path: Path, content: str) -> None:
    folder = Store(folder=tmp_path).cell("cola", "lora", "a" * 64, "b" * 64)
    folder.write_curve({1: {}})
    (folder.path / "epochs.jsonl").write_text(content, "utf-8")
    with pytest.raises(DamagedError, match="to restart the cell"):
        folder.curve()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a valid result"),
        ("[]", "is not a valid result"),
        ('{"schema": 99}', "has schema 99"),
        ('{"schema": 1}', "is missing"),
        ('{"schema": 2}', "is missing"),
    ],
)
def test_a_file_that_is_no_result_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "cola" / "lora" / "x" / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        list(Store(folder=tmp_path).results())
    assert str(path) in str(caught.value)


def test_a_number_that_json_cannot_represent_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_result(tmp_path / "result.json", make_result(details={"loss": float("nan")}))
    assert not list(tmp_path.iterdir())
