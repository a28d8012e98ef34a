"""Runs on a disk that is full or read-only: a small file system, which only root can mount."""

# ruff: noqa: S603, S607  fixed words

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.store.store import Store
from tests.support import fakes

PAGE = 4096
PAGES = 64


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 pages."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={PAGES * PAGE}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def options(tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset = str(fakes.write_preset(tmp_path))
    settings = ("--set=run.checkpoint_seconds=0", "--set=run.curve=true", "--workers=1")
    return ["run", "--preset", preset, "--tasks=coin", "--methods=steady", f"--runs={disk / 'runs'}", *settings]


@pytest.mark.parametrize("pages", range(11))
def test_a_full_disk_at_any_write_loses_no_results(
    pages: int, options: list[str], disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes((PAGES - pages) * PAGE))
    status = main(options)
    said = capsys.readouterr().err
    results = list(Store(folder=disk / "runs").results())
    assert (status, len(results)) in ((0, 1), (2, 0))
    assert ("No space left on device" in said) == (status == 2)
    assert "Traceback" not in said
    assert not list(disk.rglob("*.partial"))
    filler.unlink()
    assert main(options) == 0
    (result,) = Store(folder=disk / "runs").results()
    assert result.score == pytest.approx(1.5, rel=1e-5)


def test_a_run_fits_on_eleven_pages_and_not_on_one(options: list[str], disk: Path) -> None:
    def status(pages: int) -> int:
        (disk / "filler").write_bytes(bytes((PAGES - pages) * PAGE))
        return main(options)

    assert status(1) == 2
    (disk / "filler").unlink()
    assert status(30) == 0


def test_a_store_that_is_not_writable_is_an_error_of_one_line(
    options: list[str], disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert main(options) == 2
    assert "Read-only file system" in capsys.readouterr().err
