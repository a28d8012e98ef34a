import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.core.spec import Prediction
from benchmarks.store.store import Store, read_predictions, read_result
from tests.support import fakes
from tests.support.paths import ROOT


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset = str(fakes.write_preset(tmp_path))
    return ["--preset", preset, "--tasks", "coin", "--methods", "steady", "--runs", str(tmp_path / "runs")]


def test_plan_trains_nothing_and_says_what_is_done(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *options, "--seeds", "2"]) == 0
    assert "2 of 2 cells to do" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    main(["run", *options])
    capsys.readouterr()
    assert main(["plan", *options, "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 cells to do" in out
    assert "done" in out


def test_a_run_ends_with_its_table_and_a_report_shows_it_again(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *options, "--format", "markdown"]) == 0
    table = capsys.readouterr().out
    assert "| Steady" in table
    assert main(["report", "tables", "--runs", str(tmp_path / "runs"), "--format", "markdown"]) == 0
    assert capsys.readouterr().out == table


def test_options_reach_the_cells(options: list[str], tmp_path: Path) -> None:
    main(
        [
            "run",
            *options,
            *("--max-steps", "2", "--model", "other"),
            *("--set", "training.batch_size=5", "--set", "run.max_length=9", "--set", "run.seeds=[1]"),
        ]
    )
    (result,) = Store(folder=tmp_path / "runs").results()
    training = result.config["method"]["training"]
    assert (training["max_steps"], training["batch_size"], result.seed) == (2, 5, 1)
    assert (result.config["max_length"], result.config["model"]) == (9, "other")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--tasks", "conn"], "unknown task 'conn'; did you mean coin"),
        (["--methods", "stedy"], "unknown method 'stedy'; did you mean steady"),
        (["--preset", "quikc"], "unknown preset 'quikc'; did you mean quick"),
        (["--set", "training.lrr=1"], "did you mean lr"),
        (["--data", "nowhere"], "nowhere/coin.tsv is missing"),
        (["--table", "9"], "table 9 is not in"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    options: list[str], wrong: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *options, *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("seeds", ["0", "-1", "x", "1,1", ",", "3,", "1,2,", ""])
def test_seeds_that_are_none_are_refused(options: list[str], seeds: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", *options, f"--seeds={seeds}"])
    assert caught.value.code == 2


def test_a_report_of_nothing_says_how_to_make_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "tables", "--runs", str(tmp_path)]) == 2
    assert "has no such result" in capsys.readouterr().err


def test_promote_copies_clean_and_finished_results_only_their_predictions_bit_for_bit_and_with_checksums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, reference = Store(folder=tmp_path / "runs"), tmp_path / "reference"
    prediction = Prediction(labels=[1], predictions=[0], scores=[[0.123456789, 1.0]])
    dirty = fakes.make_environment(clean=False)
    for method, changes in {
        "good": {},
        "dirty": {"environment": dirty},
        "unknown": {"environment": fakes.make_environment(commit=None, clean=None)},
        "failed": {"status": "failed", "reason": "nan"},
    }.items():
        folder = store.cell("cola", method, "a" * 64, "b" * 64)
        config = {"model": "minilm", "data": str(tmp_path / "GLUE")}
        folder.write_result(fakes.make_result(method=method, config=config, **changes), {"validation": prediction})
    (tmp_path / "GLUE").mkdir()
    assert main(["results", "promote", "--runs", str(store.folder), "--to", str(reference)]) == 1
    (path,) = reference.glob("*/*/*/*/result.json")
    assert path.parent == reference / "quick" / "cola" / "good" / f"{'a' * 12}-{'b' * 8}"
    assert read_result(path).method == "good"
    assert read_predictions(path.parent / "predictions.json.gz")["validation"]["scores"] == [[0.123456789, 1.0]]
    promoted, run = path.parent, store.cell("cola", "good", "a" * 64, "b" * 64).path
    assert (promoted / "predictions.json.gz").read_bytes() == (run / "predictions.json.gz").read_bytes()
    names = ("predictions.json.gz", "result.json")
    sums = [f"{hashlib.sha256((promoted / name).read_bytes()).hexdigest()}  {name}" for name in names]
    assert (promoted / "SHA256SUMS").read_text("utf-8").splitlines() == sums
    assert read_result(path).config == {"model": "minilm", "data": "GLUE"}  # where it lies means nothing elsewhere
    errors = capsys.readouterr().err
    assert "the code differed from commit" in errors
    assert "the commit that made it is not known" in errors
    assert "it failed: nan" in errors
    assert main(["results", "promote", "--runs", str(store.folder), "--to", str(reference), "--methods", "good"]) == 0


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "benchmarks", "list", "protocols"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
