"""What a user can do wrong at the command line, and that the answer says what to do next."""

import json
from pathlib import Path

import pytest

from benchmarks.cli.commands import known
from benchmarks.cli.commands.cells import java_note
from benchmarks.cli.main import main
from benchmarks.run.pool import workers
from benchmarks.store.published import RESULTS
from benchmarks.store.store import Store
from benchmarks.tasks.metrics import java
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
    "run --tasks rte --data {empty}/nowhere": "--data takes embedded, hub or a folder",
    "run --tasks rte --data {empty}": "looked for TSV or parquet files in",
    "run --tasks rte --model {empty}": "must contain config.json and *.safetensors",
    "run --tasks rte --model random:gpt9": "unknown architecture; known: ",
    "run --tasks e2e --model minilm": "use a decoder: --model decoder",
    "run --tasks rte --set run.max_length=5000": "set a smaller run.max_length",
    "run --tasks rte --workers 0": "workers must be at least 1",
    "run --tasks rte --methods lora_grid --set methods.lora_grid.ranks=[4,4]": "grid",
    "run --table 1 --figure 2": "give --table or --figure, not both",
    "run --figure 3 --methods lora": "--figure 3 has methods of its own",
    "run --json": "unknown option of `run`: '--json'; did you mean",
    "plan --format json": "unknown option of `plan`: '--format'",
    "measure cost --workers 2": "unknown option of `measure cost`: '--workers'",
    "rnu": "unknown command 'rnu'; did you mean run",
    "claims": "unknown command 'claims'; did you mean judge claims",
    "judge claim": "did you mean judge claims",
    "list taks": "did you mean tasks",
    "config cola": "config takes TASK/METHOD, as in cola/autolora",
    "config cola/lorra": "did you mean lora",
    "tune --preset small --tasks rte --methods lora --write {broken}": "Unexpected character",
    "tune --preset paper --tasks rte --methods lora": "names no rates to try for lora",
    "report tables --runs {empty}": "`run` makes them, --runs names another folder",
    "report costs --runs {empty}": "`measure cost` makes one",
    "report speed --runs {empty}": "`measure speed` makes one",
    "report time-to-score 50 --runs {small}": "run it with --set run.curve=true",
    "report ranks --runs {kept}": "`run --figure 3` runs them",
    "report page --runs {empty}": "`run` makes them",
    "judge verdicts --runs {empty}": "`run` makes them",
    "judge claims --runs {empty}": "`run` makes them",
    "judge claims --reference smal": "unknown reference 'smal'; did you mean small",
    "judge claims --reference small --runs {kept}": "give --runs or --reference, not both",
    "judge compare --methods lora": "compare takes two methods, as in --methods autolora,lora",
    "check --costs --runs {empty}": "`measure cost` makes one",
    "check --costs --tasks rte": "--costs compares a whole cost run",
    "results show 0000": "give the folder of a cell",
    "results repeat 0000": "--runs names another folder",
    "results promote --kind costs --methods lora": "--kind costs takes no --methods",
    "results promote --kind speed --preset small": "--kind speed takes no --preset",
    "measure engines --tasks rte,cola": "engines are measured on one task",
    "measure speed --only serach": "did you mean search",
    "run --set run.track=tensorbord": "tensorboard",
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(workers, "START_METHOD", "fork")  # workers that have everything imported
    (tmp_path / "empty").mkdir()
    store, result = Store(folder=tmp_path / "kept"), make_result()
    store.folder_of(result).write_result(result, {})
    (tmp_path / "broken.toml").write_text("[tasks\n", "utf-8")
    return {
        "broken": str(tmp_path / "broken.toml"),
        "empty": str(tmp_path / "empty"),
        "kept": str(tmp_path / "kept"),
        "small": SMALL,
    }


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
    assert main(["report", "tables", "--runs", places["kept"]]) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert "move it away to run the cell again" in said


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_: object) -> int:
        raise ModuleNotFoundError("No module named 'seqeval'", name="seqeval")

    monkeypatch.setattr(known, "show_known", gone)
    assert main(["list"]) == 2
    assert 'the package seqeval is missing: pip install "autolora-bench[benchmark]"' in capsys.readouterr().err


def test_java_is_missed_only_where_texts_are_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "missing", lambda: "METEOR needs Java")
    assert java_note(["cola", "arc_easy"]) is None
    assert java_note(["arc_easy", "e2e"]) == "METEOR needs Java. Without them the other metrics are measured"
