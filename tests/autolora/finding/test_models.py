"""Architectures of transformers: a search, PEFT's training with the ranks found, saving, loading and merging."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from peft import LoraConfig, PeftModel, get_peft_model

from autolora import find_ranks
from tests.autolora.finding.test_find_ranks import arguments
from tests.support.architectures import EXPERTS, MODELS, builder, table
from tests.support.paths import ROOT

FAST = ("Llama", "BERT", "GPT-2", "T5")


def rows(kind: str) -> list[dict[str, Any]]:
    """Sixteen examples of a model's inputs, two classes."""
    drawn = torch.Generator().manual_seed(0)
    tokens = [torch.randint(2, 64, (6,), generator=drawn).tolist() for _ in range(16)]
    if kind.startswith("ViT"):
        return [{"pixel_values": torch.rand(3, 8, 8, generator=drawn), "labels": i % 2} for i in range(16)]
    if kind.startswith("Whisper"):
        return [{"input_features": torch.rand(8, 12, generator=drawn), "labels": ids} for ids in tokens]
    is_class = kind.endswith("Classification")
    return [{"input_ids": ids, "labels": i % 2 if is_class else ids} for i, ids in enumerate(tokens)]


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
@pytest.mark.parametrize("targets", [None, "all-linear"])
def test_a_model_is_searched_trained_saved_loaded_and_merged(
    name: str, targets: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build, train = builder(name), rows(MODELS[name][0])
    asked = EXPERTS.get(name, targets) if targets else None
    config = LoraConfig(r=4, lora_alpha=8, target_modules=asked)
    found = find_ranks(build, train, lora_config=config, args=arguments(max_steps=2))
    assert found.ranks
    assert all(0 <= rank <= 8 for rank in found.ranks.values())

    adapted = get_peft_model(build(), found.lora_config)
    batch = tf.default_data_collator(train[:4])
    optimizer = torch.optim.AdamW([weight for weight in adapted.parameters() if weight.requires_grad], lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        adapted(**batch).loss.backward()
        optimizer.step()
    adapted.save_pretrained("adapter")
    adapted.eval()
    logits = adapted(**batch).logits
    loaded = PeftModel.from_pretrained(build(), "adapter").eval()
    assert torch.allclose(loaded(**batch).logits, logits, atol=1e-5)
    assert torch.allclose(loaded.merge_and_unload()(**batch).logits, logits, atol=1e-4)


def test_the_table_of_models_in_the_docs_is_what_the_code_does() -> None:
    assert table() in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
