"""Whatever names a result file holds, nothing is read or written outside of the folders that a command was given."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.core import registry
from benchmarks.core.nested import plain
from benchmarks.core.settings import load_settings
from benchmarks.core.spec import InputError
from benchmarks.store.cost_record import CostRun
from benchmarks.store.shards import Manifest
from benchmarks.store.speed_record import SpeedRun
from tests.support.fakes import make_environment, make_result

OUT = ("../../../evil", "/evil", "..", "a/../../b", "..\\evil", "C:evil", "evil\x00", "")
COMMANDS = {
    "report": ["report", "tables", "--runs", "store"],
    "show": ["results", "show", "store/cola/lora/cell"],
    "show by its name": ["results", "show", "cola/lora/0", "--runs", "store"],
    "page": ["report", "page", "--runs", "store", "--to", "page.html"],
    "figures": ["report", "figures", "--runs", "store", "--to", "figures"],
    "merge": ["results", "merge", "store", "--to", "merged"],
    "promote": ["results", "promote", "--runs", "store", "--to", "reference"],
    "verdicts": ["judge", "verdicts", "--runs", "store"],
    "claims": ["judge", "claims", "--runs", "store"],
}


def write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), "utf-8")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, deep enough that a name that leads out of it can be seen to."""
    folder = tmp_path / "a" / "b" / "c"
    write(folder / "store" / "shard.json", plain(Manifest(number=1, of=1, cells=("a" * 64,))))
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("field", ["task", "method", "preset", "identity"])
def test_a_result_whose_names_lead_out_of_the_store_is_refused(
    command: str, field: str, inside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in OUT:
        write(inside / "store" / "cola" / "lora" / "cell" / "result.json", plain(make_result()) | {field: name})
        before = files(tmp_path)
        assert main(COMMANDS[command]) == 2
        assert f"{field} is used as a folder name" in capsys.readouterr().err
        assert files(tmp_path) == before


def test_a_run_of_costs_or_speed_whose_names_lead_out_of_the_store_is_refused() -> None:
    environment, numbers = (
        make_environment(),
        {"warmup_steps": 0, "matmul_flops_per_second": 1.0, "model_parameters": 1},
    )
    cost: dict[str, Any] = {"protocol": "clean", "timed_steps": 1, "model_title": "M", "data_sources": {}, "costs": ()}
    for name in OUT:
        with pytest.raises(ValueError, match="preset is used as a folder name"):
            CostRun(**cost, **numbers, environment=environment, finished="2026-01-01T00:00:00+00:00", preset=name)
    for name in {*OUT} - {"C:evil"}:  # a moment's colons are left out of its file's name
        with pytest.raises(ValueError, match="finished is used as a folder name"):
            CostRun(**cost, **numbers, environment=environment, finished=name, preset="quick")
        with pytest.raises(ValueError, match="finished is used as a folder name"):
            SpeedRun(model_title="M", steps=1, timings=(), environment=environment, finished=name)


def test_links_in_a_shard_are_not_followed(inside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret", "utf-8")
    cell = inside / "store" / "cola" / "lora" / "cell"
    write(cell / "result.json", plain(make_result()))
    (cell / "adapter").mkdir()
    (cell / "adapter" / "README.md").symlink_to(secret)
    assert main(COMMANDS["merge"]) == 2
    assert "README.md is a link" in capsys.readouterr().err
    assert not (inside / "merged").exists()


@pytest.mark.parametrize("name", OUT)
def test_tasks_methods_and_presets_are_known_names(name: str) -> None:
    for find in (registry.task, registry.method, load_settings):
        with pytest.raises(InputError, match="unknown"):
            find(name)
