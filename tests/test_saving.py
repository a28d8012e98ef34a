from pathlib import Path

import pytest
import torch
from peft import PeftModel

from autolora.runtime import Runtime
from benchmarks import registry
from benchmarks.bench import predict
from benchmarks.cli import main
from benchmarks.materials import open_materials
from benchmarks.store import Store, plain_predictions


def run(folder: Path, task: str, method: str) -> None:
    options = ["--tasks", task, "--methods", method, "--max-steps", "2", "--workers", "1", "--runs", str(folder)]
    assert main(["run", *options, "--set", "run.save_adapter=true"]) == 0


@pytest.mark.parametrize("method", ["lora", "adalora"])
def test_a_saved_adapter_gives_the_kept_predictions_in_plain_peft(tmp_path: Path, method: str) -> None:
    run(tmp_path, "rte", method)
    store = Store(folder=tmp_path)
    (result,) = store.results()
    folder = store.folder_of(result).path / "adapter"
    materials = open_materials(1)
    base = materials.backbone("minilm").builder(2, seed=7)()  # another head: the adapter brings its own
    model = PeftModel.from_pretrained(base, folder)
    prepared = materials.prepared("rte", "embedded", False, "minilm", result.config["max_length"])
    again = plain_predictions(predict(registry.task("rte"), model, prepared, Runtime()))
    kept = store.answers(result)["validation"]["scores"]
    assert torch.tensor(again["validation"]["scores"]) == pytest.approx(torch.tensor(kept), abs=1e-5)


def test_its_card_says_what_it_is(tmp_path: Path) -> None:
    run(tmp_path, "rte", "lora")
    (path,) = tmp_path.rglob("adapter/README.md")
    card = path.read_text("utf-8")
    for text in ("base_model: minilm", "library_name: peft", "RTE, LoRA, seed 0", "type: accuracy", "| Rank |", "4"):
        assert text in card
    assert "{{" not in card


def test_a_method_without_an_adapter_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, "rte", "full")
    assert not list(tmp_path.rglob("adapter"))
    assert "nothing is saved" in caplog.text
