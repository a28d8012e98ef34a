import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.core.spec import InputError
from benchmarks.store.lookup import find_result
from benchmarks.store.published import RESULTS
from benchmarks.store.store import Store
from tests.support import fakes
from tests.support.fakes import make_result

REFERENCE = RESULTS / "reference" / "small"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    store = Store(folder=tmp_path)
    for seed in (0, 1):
        result = make_result(seed=seed, identity=f"{seed}" * 64)
        store.folder_of(result).write_result(result, {})
    return tmp_path


@pytest.mark.parametrize("wanted", ["1111", "1" * 64, "cola/lora/1"])
def test_a_cell_is_found_by_its_identity_or_by_task_method_and_seed(kept: Path, wanted: str) -> None:
    path, result = find_result(wanted, kept)
    assert (result.seed, path.name[:12]) == (1, "1" * 12)
    assert find_result(str(path), Path("elsewhere"))[1] == result


@pytest.mark.parametrize(
    ("wanted", "message"), [("beef", "no result in"), ("11", "at least 4 digits"), ("../..", "no")]
)
def test_an_argument_that_names_no_cell_is_an_error_with_a_reason(kept: Path, wanted: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_result(wanted, kept)


def test_several_cells_are_named(kept: Path) -> None:
    store, result = Store(folder=kept), make_result(seed=1, identity="2" * 64)
    store.folder_of(result).write_result(result, {})
    with pytest.raises(InputError, match="matches 2 results"):
        find_result("cola/lora/1", kept)


def test_show_prints_settings_scores_times_machine_and_the_command_to_repeat_the_cell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (path, *_) = sorted(REFERENCE.glob("cola/autolora/*"))
    assert main(["results", "show", str(path)]) == 0
    shown = capsys.readouterr().out
    for text in (
        "matthews",
        "search.max_rank",
        "attention.self.query",
        "commit",
        f"repeat {path.relative_to(Path.cwd())} --data DIR",
    ):
        assert text in shown
    assert main(["results", "show", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["method.search.max_rank"] == "8"


@pytest.mark.parametrize(
    ("collapsed", "shown"), [(True, [["collapsed", "yes"]]), (False, [["collapsed", "no"]]), (None, [])]
)
def test_show_says_whether_a_cell_has_collapsed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, collapsed: bool | None, shown: list[list[str]]
) -> None:
    store, result = Store(folder=tmp_path), make_result(collapsed=collapsed)
    store.folder_of(result).write_result(result, {})
    assert main(["results", "show", "cola/lora/0", "--runs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if "collapsed" in line] == shown


def test_show_of_a_failed_cell_prints_the_reason(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(folder=kept)
    result = replace(make_result(seed=2, identity="3" * 64), status="failed", reason="the loss is nan", metrics={})
    store.folder_of(result).write_result(result, {})
    assert main(["results", "show", "cola/lora/2", "--runs", str(kept)]) == 0
    assert "failed: the loss is nan" in capsys.readouterr().out


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset = str(fakes.write_preset(tmp_path))
    runs = tmp_path / "runs"
    options = ["--preset", preset, "--tasks", "coin", "--methods", "steady,twice", "--runs", str(runs)]
    assert main(["run", *options, "--set", "methods.steady.rank=7"]) == 0
    return runs


@pytest.mark.parametrize("method", ["steady", "twice"])
def test_a_repeated_cell_has_all_settings_of_the_first_and_is_compared(
    ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    capsys.readouterr()
    again = tmp_path / "again"
    assert main(["results", "repeat", f"coin/{method}/0", "--runs", str(ran), "--to", str(again)]) == 0
    assert "same bits" in capsys.readouterr().out
    first, second = (
        next(result for result in Store(folder=f).results() if result.method == method) for f in (ran, again)
    )
    assert first.identity == second.identity
    assert second.ranks == {"query": 7 if method == "steady" else 14}


def test_a_cell_is_not_repeated_without_the_cell_whose_ranks_it_starts_from(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (steady,) = (ran / "coin" / "steady").iterdir()
    (steady / "result.json").unlink()
    assert main(["results", "repeat", "coin/twice/0", "--runs", str(ran), "--to", str(ran)]) == 2
    assert "starts from the ranks of a cell of steady" in capsys.readouterr().err
