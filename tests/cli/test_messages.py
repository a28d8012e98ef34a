"""What a user can do wrong at the command line, and that the answer says what to do next."""

import json
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.run import workers
from benchmarks.store.published import RESULTS
from benchmarks.store.store import Store
from tests.support.fakes import make_result

SMALL = str(RESULTS / "reference" / "small")
EMPTY = "{empty}"
"""A folder without results."""
KEPT = "{kept}"
"""A folder with one result."""

WRONG = {
    "run --tasks colaa": "did you mean cola",
    "run --methods lorra": "did you mean lora",
    "run --preset smal": "did you mean small",
    "run --preset {empty}/none.toml": "unknown preset",
    "run --protocol relased": "did you mean released",
    "run --set training.lr": "--set takes dotted.key=value, as in training.lr=1e-4",
    "run --set training.learning_rate=1": "unknown",
    "run --set training.lr=-1": "lr must",
    "run --set trainng.lr=1": "did you mean training",
    "run --set protocol.drop_last=often": "takes",
    "run --table 9": "there are 1, 2, 3, 4, 5",
    "run --figure 7": "there are 2",
    "run --device abacus": "take --device auto",
    "run --tasks rte --data {empty}/nowhere": "--data is embedded, hub or a folder",
    "run --tasks rte --data {empty}": "looked for TSV or parquet files in",
    "run --tasks rte --model {empty}": "must hold config.json and *.safetensors",
    "run --tasks rte --model random:gpt9": "there is an architecture for",
    "run --tasks e2e --model minilm": "take a decoder: --model decoder",
    "run --tasks rte --max-length 5000": "set run.max_length",
    "run --tasks rte --workers 0": "workers must be at least 1",
    "run --tasks rte --methods lora_grid --grid 4,4": "grid",
    "report --runs {empty}": "`run` makes them, --runs names another folder",
    "report --runs {empty} --costs": "`cost` makes one",
    "report --runs {small} --reach 50": "run it with --set run.curve=true",
    "report --runs {kept} --ranks": "`ranks` runs them",
    "verdicts --runs {empty}": "`run` makes them",
    "verdicts --runs {kept} --preset paper": "there are some of quick",
    "claims --runs {empty}": "`run` makes them",
    "compare --methods lora": "compare takes two methods, as in --methods autolora,lora",
    "check --costs --runs {empty}": "`cost` makes one",
    "page --runs {empty}": "`run` makes them",
    "show 0000": "give the folder of a cell",
    "repeat 0000": "--results names another folder",
    "speed --only serach": "did you mean search",
    "run --track tensorbord": "tensorboard",
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(workers, "START_METHOD", "fork")  # workers that have everything imported
    (tmp_path / "empty").mkdir()
    store, result = Store(folder=tmp_path / "kept"), make_result()
    store.folder_of(result).write_result(result, {})
    return {"empty": str(tmp_path / "empty"), "kept": str(tmp_path / "kept"), "small": SMALL}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("command", WRONG)
def test_the_answer_is_a_line_that_says_what_to_do(
    command: str,
    places: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = files(tmp_path)
    assert main([word.format(**places) for word in command.split()]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert WRONG[command] in line
    assert files(tmp_path) == before, "nothing was begun"


@pytest.mark.parametrize("content", ["{", json.dumps({"schema": 99}), json.dumps({"schema": 2}), "[]"])
def test_a_damaged_result_is_named_with_what_to_do(
    content: str, places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = Path(places["kept"]).rglob("result.json")
    path.write_text(content, "utf-8")
    assert main(["report", "--runs", places["kept"]]) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert "move it away to run the cell again" in said


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_: object) -> int:
        raise ModuleNotFoundError("No module named 'seqeval'", name="seqeval")

    monkeypatch.setitem(__import__("benchmarks.cli.commands.reading", fromlist=["COMMANDS"]).COMMANDS, "list", gone)
    assert main(["list"]) == 2
    assert 'the package seqeval is missing: pip install "autolora-bench[benchmark]"' in capsys.readouterr().err
