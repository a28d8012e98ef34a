from pathlib import Path

import pytest
import torch
from peft import PeftModel

from autolora.compute.runtime import Runtime
from benchmarks.cli.main import main
from benchmarks.core import registry
from benchmarks.run.cache import open_materials
from benchmarks.run.cell import predict
from benchmarks.store.store import Store, plain_predictions
from tests.support.tiny import save_encoder


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(save_encoder(tmp_path / "model"))


def run(folder: Path, model: str, method: str) -> None:
    sizes = ["--model", model, "--max-steps", "2", "--set", "run.max_length=32", "--workers", "1"]
    options = ["--tasks", "rte", "--methods", method, "--runs", str(folder), "--set", "run.save_adapter=true"]
    assert main(["run", *options, *sizes]) == 0


@pytest.mark.parametrize("method", ["lora", "adalora"])
def test_a_saved_adapter_gives_the_kept_predictions_in_plain_peft(tmp_path: Path, model: str, method: str) -> None:
    run(tmp_path, model, method)
    store = Store(folder=tmp_path)
    (result,) = store.results()
    folder = store.folder_of(result).path / "adapter"
    materials = open_materials(1)
    base = materials.backbone(model).builder(2, seed=7)()  # another head: the adapter brings its own
    adapted = PeftModel.from_pretrained(base, folder)
    prepared = materials.prepared("rte", "embedded", False, model, result.config["max_length"])
    again = plain_predictions(predict(registry.task("rte"), adapted, prepared, Runtime()))
    kept = store.predictions(result)["validation"]["scores"]
    assert torch.tensor(again["validation"]["scores"]) == pytest.approx(torch.tensor(kept), abs=1e-5)


def test_its_card_says_what_it_is(tmp_path: Path, model: str) -> None:
    run(tmp_path, model, "lora")
    (path,) = tmp_path.rglob("adapter/README.md")
    card = path.read_text("utf-8")
    for text in (f"base_model: {model}", "library_name: peft", "RTE, LoRA, seed 0", "type: accuracy", "| Rank |", "4"):
        assert text in card
    assert "{{" not in card


def test_a_method_without_an_adapter_says_so(tmp_path: Path, model: str, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, model, "full")
    assert not list(tmp_path.rglob("adapter"))
    assert "nothing is saved" in caplog.text
