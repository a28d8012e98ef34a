"""Differences between identical reruns, and between reruns with other batch sizes and thread counts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.core.settings import load_settings
from benchmarks.core.spec import Prediction
from benchmarks.measure import determinism
from benchmarks.measure.determinism import CellComparison, compare, render, reruns
from benchmarks.run.launch import Request, Scope
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support import fakes


def request(folder: Path) -> Request:
    preset = fakes.write_preset(folder)
    settings = load_settings(str(preset), {"training": {"batch_size": 2}})
    return Request(
        scopes=[Scope(settings=settings, tasks=["coin"], methods=["steady"])], store=Store(folder=folder / "runs")
    )


def kept(store: Store, predictions: Sequence[float], logits: Sequence[float], bits: str) -> list[Result]:
    result = fakes.make_result(fingerprints={"predictions": bits})
    prediction = Prediction(labels=[1.0] * len(logits), predictions=predictions, scores=[[logit] for logit in logits])
    store.cell("cola", "lora", result.identity, result.environment.key).write_result(result, {"validation": prediction})
    return [result]


def test_each_rerun_has_a_store_of_its_own_and_changes_one_thing(tmp_path: Path) -> None:
    base, again, batch, threads = reruns(request(tmp_path), cores=2)
    folders = {each.request.store.folder for each in (base, again, batch, threads)}
    assert len(folders) == 4
    assert base.request.scopes == again.request.scopes == threads.request.scopes
    assert batch.request.scopes[0].settings.section("training")["batch_size"] == 4
    assert (base.request.workers, threads.request.workers) == (None, 1)
    assert [each.name for each in reruns(request(tmp_path), cores=1)] == ["base", "again", "batch"]


def test_what_differs_is_counted(tmp_path: Path) -> None:
    base, again, *_ = reruns(request(tmp_path), cores=2)
    first = kept(base.request.store, [1, 0, 1], [0.5, -0.5, 0.25], "a")
    second = kept(again.request.store, [1, 1, 1], [0.5, 0.5, 0.0], "b")
    (found,) = compare(first, second, again, base.request.store)
    assert (found.differing_predictions, found.examples, found.largest_logit_difference) == (1, 3, 1.0)
    assert not found.same_bits
    assert "1 of 3" in render([found])
    (same,) = compare(first, first, base, base.request.store)
    assert (same.differing_predictions, same.largest_logit_difference, same.same_bits) == (0, 0, True)


def test_the_command_runs_all_reruns_and_fails_where_the_same_gives_other_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setattr("benchmarks.run.plan.matmul_rate", lambda *_, **__: 1e6)
    preset = fakes.write_preset(tmp_path)
    arguments = ["measure", "determinism", "--preset", str(preset), "--tasks", "coin", "--methods", "steady"]
    arguments += ["--runs", str(tmp_path / "runs")]
    assert main(arguments) == 0
    assert "the same again" in capsys.readouterr().out

    found = determinism.compare

    def other_bits(*sides: Any) -> list[CellComparison]:
        return [replace(each, same_bits=False) for each in found(*sides)]

    monkeypatch.setattr(determinism, "compare", other_bits)
    assert main(arguments) == 1
