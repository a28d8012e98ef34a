import json
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.store.store import Store
from tests.support import fakes


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset = str(fakes.write_preset(tmp_path))
    return ["--preset", preset, "--tasks", "coin", "--methods", "steady,follower", "--seeds", "5"]


def run_shards(options: list[str], folder: Path, numbers: tuple[int, ...] = (1, 2, 3)) -> list[str]:
    folders = [str(folder / f"shard-{number}") for number in numbers]
    for number, place in zip(numbers, folders, strict=True):
        assert main(["run", *options, "--shard", f"{number}/3", "--runs", place]) == 0
    return folders


def cells(folder: Path) -> dict[tuple[str, int], str]:
    return {
        (result.method, result.seed): result.fingerprints["predictions"] for result in Store(folder=folder).results()
    }


def test_shards_together_are_the_whole_run_to_the_bit(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = run_shards(options, tmp_path)
    parts = [cells(Path(folder)) for folder in folders]
    assert sum(map(len, parts)) == 10
    assert all(parts)
    assert main(["run", *options, "--runs", str(tmp_path / "whole")]) == 0
    capsys.readouterr()
    assert main(["results", "merge", *folders, "--to", str(tmp_path / "merged")]) == 0
    assert "every cell of the plan is there" in capsys.readouterr().out
    assert cells(tmp_path / "merged") == cells(tmp_path / "whole")
    assert main(["run", *options, "--runs", str(tmp_path / "merged")]) == 0


def test_a_cell_is_in_the_shard_of_the_one_that_it_needs(options: list[str], tmp_path: Path) -> None:
    for folder in run_shards(options, tmp_path):
        found = cells(Path(folder))
        assert {seed for method, seed in found if method == "follower"} == {
            seed for method, seed in found if method == "steady"
        }


def test_merging_twice_changes_nothing(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = run_shards(options, tmp_path)
    for copied, known in ((10, 0), (0, 10)):
        capsys.readouterr()
        assert main(["results", "merge", *folders, "--to", str(tmp_path / "merged")]) == 0
        assert f"{copied} results copied to {tmp_path / 'merged'}, {known} were there" in capsys.readouterr().out


def test_missing_cells_are_named(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_ = run_shards(options, tmp_path, (1, 2))
    (lost, *_) = Path(first).rglob("result.json")
    lost.unlink()
    assert main(["results", "merge", first, str(tmp_path / "shard-2"), "--to", str(tmp_path / "merged")]) == 1
    said = capsys.readouterr().err
    assert "shards that were not given: 3" in said
    assert lost.parent.name[:12] in said


def test_contradicting_results_are_not_merged(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = run_shards(options, tmp_path)
    assert main(["results", "merge", *folders, "--to", str(tmp_path / "merged")]) == 0
    (path, *_) = Path(folders[0]).rglob("result.json")
    result = json.loads(path.read_text("utf-8"))
    path.write_text(
        json.dumps({**result, "fingerprints": {**result["fingerprints"], "predictions": "0" * 64}}), "utf-8"
    )
    path.with_name("SHA256SUMS").unlink()  # as if it had been written so
    before = cells(tmp_path / "merged")
    assert main(["results", "merge", *folders, "--to", str(tmp_path / "merged")]) == 2
    assert "different predictions" in capsys.readouterr().err
    assert cells(tmp_path / "merged") == before


def test_shards_of_different_plans_and_folders_without_one_are_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first,) = run_shards(options, tmp_path, (1,))
    other = str(tmp_path / "other")
    assert main(["run", *options, "--shard", "2/3", "--seeds", "2", "--runs", other]) == 0
    assert main(["results", "merge", first, other, "--to", str(tmp_path / "merged")]) == 2
    assert "different plans" in capsys.readouterr().err
    assert main(["results", "merge", str(tmp_path), "--to", str(tmp_path / "merged")]) == 2
    assert "has no shard.json" in capsys.readouterr().err
    assert main(["run", *options, "--shard", "2/3", "--runs", first]) == 2
    assert "give each shard a folder of its own" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["3", "a/b", "1/"])
def test_an_invalid_shard_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--shard", wrong])
    assert "as in 2/8" in capsys.readouterr().err


def test_a_shard_beyond_the_number_of_shards_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--shard", "9/8"])
    assert "from 1 to N" in capsys.readouterr().err
