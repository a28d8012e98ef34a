"""Gradient checkpointing of either kind in a search, and models that are spread over devices."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import dispatch_model
from torch import nn
from transformers import Trainer

from autolora import FoundRanks, find_ranks, find_ranks_for
from tests.autolora.finding.test_find_ranks import ALL_LINEAR, TRAIN, arguments, llama
from tests.support import tiny


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found_for(model: nn.Module, **options: Any) -> FoundRanks:
    trainer = Trainer(model, arguments(**options), train_dataset=TRAIN, data_collator=tiny.texts)  # type: ignore[arg-type]
    return find_ranks_for(trainer, lora_config=ALL_LINEAR)


def checkpointed(*, use_reentrant: bool) -> nn.Module:
    model = llama()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": use_reentrant})
    return model


def test_gradient_checkpointing_of_either_kind_finds_the_same_variables() -> None:
    whole = found_for(llama())
    by_model = [found_for(checkpointed(use_reentrant=kind)) for kind in (False, True)]
    by_arguments = [
        found_for(llama(), gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": kind})
        for kind in (False, True)
    ]
    for found in (*by_model, *by_arguments):
        assert found.ranks == whole.ranks
        for name, values in whole.selection.items():
            assert found.selection[name] == pytest.approx(values, rel=1e-5)


def test_the_models_own_reentrant_checkpointing_stays() -> None:
    model = checkpointed(use_reentrant=True)
    before = [getattr(module, "_gradient_checkpointing_func", None) for module in model.modules()]
    found_for(model)
    assert [getattr(module, "_gradient_checkpointing_func", None) for module in model.modules()] == before


def offloaded() -> nn.Module:
    places = {"model.embed_tokens": "disk", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"}
    layers = {f"model.layers.{index}": "cpu" for index in range(2)}
    return dispatch_model(llama(), places | layers, main_device="cpu", offload_dir="offloaded")  # type: ignore[no-any-return]


def spread() -> nn.Module:
    model = llama()
    model.hf_device_map = {"model": 0, "lm_head": "cpu"}
    return model


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return llama()


@pytest.mark.parametrize(
    ("build", "place"), [(offloaded, "cpu, disk"), (spread, "0, cpu"), (on_meta, "meta")], ids=["disk", "cpu", "meta"]
)
def test_a_model_that_is_not_on_one_device_is_refused(build: Any, place: str) -> None:
    with pytest.raises(ValueError, match=rf"the model is on {place}: .*one device.*device_map"):
        find_ranks(build, TRAIN, lora_config=ALL_LINEAR, data_collator=tiny.texts, args=arguments())
