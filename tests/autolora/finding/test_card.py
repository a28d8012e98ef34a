"""The model card that `FoundRanks.save` writes."""

from importlib.metadata import version
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from peft import get_peft_model

from autolora import Budget
from tests.autolora.finding.test_find_ranks import llama, of_llama


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_card_has_ranks_size_and_versions() -> None:
    found = of_llama(budget=Budget(mean_rank=2))
    found.lora_config.base_model_name_or_path = "someone/base"
    found.save("found")
    card = ModelCard.load("found/README.md")
    assert card.data.base_model == "someone/base"
    assert card.data.library_name == "peft"
    assert "autolora" in card.data.tags
    assert found.summary() in card.text
    assert f"| size | 28 ranks, {found.parameters:,} parameters, within a budget |" in card.text
    assert "4 steps of 8 examples, components removed in 8 rounds, learning rate 0.01" in card.text
    assert f"peft {version('peft')}, torch {version('torch')}" in card.text


def test_what_others_wrote_in_the_card_is_kept_and_the_ranks_are_replaced() -> None:
    first, second = of_llama(), of_llama(budget=Budget(mean_rank=1))
    adapted = get_peft_model(llama(), first.lora_config)
    adapted.save_pretrained("adapter")
    theirs = ModelCard.load("adapter/README.md")
    first.save("adapter")
    adapted.save_pretrained("adapter")
    second.save("adapter")
    card = ModelCard.load("adapter/README.md")
    assert card.text.count("## LoRA ranks") == 1
    assert second.summary() in card.text
    assert first.summary() not in card.text
    assert theirs.text.strip() in card.text
    assert {*(theirs.data.tags or ())} <= {*card.data.tags}
