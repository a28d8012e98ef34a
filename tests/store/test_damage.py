import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.core.locks import held
from benchmarks.store import damage
from benchmarks.store.damage import set_damaged_aside
from benchmarks.store.store import DamagedError, Store, read_result
from tests.support import fakes


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset = str(fakes.write_preset(tmp_path))
    return ["--preset", preset, "--tasks", "coin", "--methods", "steady", "--runs", str(tmp_path / "runs")]


def other_score(content: bytes) -> bytes:
    assert b'"accuracy": 1.' in content
    return content.replace(b'"accuracy": 1.', b'"accuracy": 2.')


DAMAGES = [lambda content: content[: len(content) // 2], other_score, lambda _: b"", lambda _: b"\xff\xfe"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_refused_in_a_report_and_run_again_by_a_run(
    damage: Callable[[bytes], bytes],
    options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert main(["run", *options]) == 0
    (path,) = tmp_path.rglob("result.json")
    whole = read_result(path)
    broken = damage(path.read_bytes())
    path.write_bytes(broken)
    with pytest.raises(DamagedError, match="move it away"):
        read_result(path)
    assert main(["report", "tables", "--runs", str(tmp_path / "runs")]) == 2
    assert str(path) in capsys.readouterr().err
    assert main(["run", *options]) == 0
    assert str(path) in caplog.text
    assert read_result(path).fingerprints == whole.fingerprints
    assert path.with_name("result.damaged").read_bytes() == broken


def test_an_undamaged_result_is_not_renamed(tmp_path: Path) -> None:
    store, result = Store(folder=tmp_path), fakes.make_result()
    store.folder_of(result).write_result(result, {})
    assert set_damaged_aside(store) == []
    assert list(store.results()) == [result]


def test_a_damaged_result_that_another_run_is_about_to_replace_is_left_to_it(tmp_path: Path) -> None:
    store, result = Store(folder=tmp_path), fakes.make_result()
    store.folder_of(result).write_result(result, {})
    (path,) = store.paths()
    path.write_text("{", "utf-8")
    with held(path.parent, lambda: False):
        assert set_damaged_aside(store) == []
    assert len(set_damaged_aside(store)) == 1


def test_the_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    store, result = Store(folder=tmp_path), fakes.make_result()
    folder = store.folder_of(result)
    folder.write_result(result, {})
    digest = hashlib.sha256((folder.path / "result.json").read_bytes()).hexdigest()
    assert (folder.path / "SHA256SUMS").read_text("utf-8") == f"{digest}  result.json\n"


def test_a_damaged_result_that_another_run_takes_at_that_moment_is_left_to_it_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, result = Store(folder=tmp_path), fakes.make_result()
    store.folder_of(result).write_result(result, {})
    (path,) = store.paths()
    path.write_text("{", "utf-8")
    monkeypatch.setattr(damage, "is_held", lambda _: False)  # as it was at the look
    waiting = threading.Thread(target=set_damaged_aside, args=[store], daemon=True)
    with held(path.parent, lambda: False):
        waiting.start()
        waiting.join(timeout=5)
        assert not waiting.is_alive()
        assert path.read_text("utf-8") == "{"


def test_a_damaged_result_that_another_run_renames_at_that_moment_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, result = Store(folder=tmp_path), fakes.make_result()
    store.folder_of(result).write_result(result, {})
    (path,) = store.paths()

    def renamed(_: Path) -> bool:
        path.rename(path.with_suffix(".damaged"))
        return False

    monkeypatch.setattr(damage, "is_held", renamed)
    assert set_damaged_aside(store) == []


def test_an_empty_file_of_checksums_is_damage(tmp_path: Path) -> None:
    store, result = Store(folder=tmp_path), fakes.make_result()
    store.folder_of(result).write_result(result, {})
    (path,) = store.paths()
    path.with_name("SHA256SUMS").write_bytes(b"")
    with pytest.raises(DamagedError, match="SHA256SUMS"):
        read_result(path)
