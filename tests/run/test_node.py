"""How a node of a cluster runs a cell; tested without a cluster."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.core.settings import load_settings
from benchmarks.core.spec import InputError
from benchmarks.data.models import backbones
from benchmarks.run.launch import Request, Scope, plan
from benchmarks.run.plan import Cell
from benchmarks.run.ray import connection, node, shipping
from benchmarks.run.ray.cluster import resources
from benchmarks.run.ray.node import FinishedCell, RefusedCell, RemoteCellTask, run_remote_cell
from benchmarks.store.store import Store
from tests.support import fakes
from tests.support.fakes import make_environment


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def cells(folder: Path, method: str = "steady", options: dict[str, Any] | None = None) -> list[Cell]:
    settings = load_settings(str(fakes.write_preset(folder)), options or {})
    scope = Scope(settings=settings, tasks=["coin"], methods=[method])
    found, _ = plan(Request(scopes=[scope], store=Store(folder=folder / "runs")))
    return [planned.cell for planned in found.cells]


def task(cell: Cell, needed: Any = None) -> RemoteCellTask:
    return RemoteCellTask(cell=cell, threads=1, needed=needed)


def last(messages: Iterator[Any]) -> Any:
    return list(messages)[-1]


def test_a_finished_cell_is_sent_as_files_and_leaves_nothing_on_the_node(tmp_path: Path, scratch: Path) -> None:
    (cell,) = cells(tmp_path, options={"run": {"curve": True}})
    end = last(run_remote_cell(task(cell)))
    assert isinstance(end, FinishedCell)
    assert end.result.status == "done"
    assert sorted(end.files) == ["epochs.jsonl", "predictions.json.gz"]
    assert not list(scratch.iterdir())


def test_a_cell_that_needs_ranks_is_sent_the_result_that_has_them(tmp_path: Path) -> None:
    first, second = cells(tmp_path, "follower")
    needed = last(run_remote_cell(task(first))).result
    assert last(run_remote_cell(task(second, needed))).result.ranks == needed.ranks
    assert last(run_remote_cell(task(second))).result.status == "failed"


def test_a_result_has_the_environment_that_it_was_computed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = cells(tmp_path)
    there = replace(cell.environment, python=f"{cell.environment.python}+", commit="d" * 40)
    monkeypatch.setattr("benchmarks.run.machine.environment.describe", lambda *_, **__: there)
    assert last(run_remote_cell(task(cell))).result.environment == there


def test_a_node_with_another_environment_is_refused_and_the_differences_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells(tmp_path)
    planned = cell.environment
    assert planned.processor
    other = replace(planned.processor, capability="AVX1024")
    there = replace(
        planned, device_name="Another CPU", packages={**planned.packages, "torch": "2.0.0"}, processor=other
    )
    monkeypatch.setattr("benchmarks.run.machine.environment.describe", lambda *_, **__: there)
    end = last(run_remote_cell(task(cell)))
    assert isinstance(end, RefusedCell)
    assert f"planned torch {planned.packages['torch']}, device {planned.device_name}, processor " in end.reason
    assert f"the node has torch 2.0.0, device Another CPU, processor {other}. Remove" in end.reason


def test_other_data_other_weights_and_other_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = cells(tmp_path)
    other = replace(cell, fingerprints={**cell.fingerprints, "data": "0" * 64})
    assert "--data embedded has different content on the node" in last(run_remote_cell(task(other))).reason
    newer = replace(cell, versions={"task": 2, "method": 1})
    assert "install the same code" in last(run_remote_cell(task(newer))).reason
    monkeypatch.setattr(backbones, "fingerprint", lambda _: "1" * 64)
    assert "--model fake has different content on the node" in last(run_remote_cell(task(cell))).reason


def test_missing_data_is_refused_with_the_data_source_s_message(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path)
    away = replace(cell, config={**cell.config, "data": "/nowhere/GLUE"})
    assert last(run_remote_cell(task(away))).reason.endswith("/nowhere/GLUE/coin.tsv is missing")


def test_a_cancelled_cell_ends_and_leaves_nothing(tmp_path: Path, scratch: Path) -> None:
    (cell,) = cells(tmp_path, options={"training": {"steps": 1000}, "methods": {"steady": {"step_seconds": 0.01}}})
    messages = run_remote_cell(task(cell))
    assert next(messages).step >= 1  # type: ignore[union-attr]
    messages.close()  # type: ignore[attr-defined]
    assert not list(scratch.iterdir())


def test_the_cells_of_a_process_share_the_loaded_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node._materials.cache_clear()
    opened = []
    backbone = backbones.open_backbone("fake")
    monkeypatch.setattr(backbones, "open_backbone", lambda name: opened.append(name) or backbone)
    for cell in cells(tmp_path, options={"run": {"seeds": [0, 1, 2]}}):
        assert last(run_remote_cell(task(cell))).result.status == "done"
    assert opened[1:] == ["fake"]  # the plan loaded its own
    node._materials.cache_clear()


def test_a_folder_of_data_is_sent_with_the_code_under_its_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/GLUE").mkdir(parents=True)
    Path("data/GLUE/train.tsv").write_text("a", "utf-8")
    shipping.pack(tmp_path / "packed", ["data/GLUE", "minilm", "hub", str(tmp_path)])
    assert {path.name for path in (tmp_path / "packed").iterdir()} == {"autolora", "baselines", "benchmarks", "data"}
    assert (tmp_path / "packed/data/GLUE/train.tsv").read_text("utf-8") == "a"
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_folder_that_is_too_large_or_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MAX_BYTES", 10)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("large").mkdir()
    Path("large/weights").write_bytes(b"0" * 11)
    for name in ("large", "../here"):
        with pytest.raises(InputError, match="give its absolute path"):
            shipping.pack(tmp_path / name.strip("./"), [name])


def test_a_cell_on_a_gpu_requires_one(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path)
    on_gpu = replace(cell, environment=make_environment(device="cuda"))
    assert resources(cell, threads=2) == {"CPU": 2}
    assert resources(on_gpu, threads=8) == {"CPU": 8, "GPU": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ray=ray://head:10001"], "--ray takes local, auto or the HOST:PORT of a cluster's head"),
        (["--ray=127.0.0.1:1"], "no process listens there"),
        (["--ray=local", "--set=run.track=tensorboard"], "leave out run.track or --ray"),
    ],
)
def test_a_cluster_that_cannot_be_connected_to_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: name)
    run = ["run", f"--preset={fakes.write_preset(tmp_path)}", "--tasks=coin", "--methods=steady"]
    assert main([*run, f"--runs={tmp_path}", *options]) == 2
    assert message in capsys.readouterr().err


def test_without_the_package_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda _: None)
    run = ["run", f"--preset={fakes.write_preset(tmp_path)}", "--tasks=coin", "--methods=steady", "--ray=auto"]
    assert main([*run, f"--runs={tmp_path}"]) == 2
    assert 'pip install "autolora-bench[ray]"' in capsys.readouterr().err
