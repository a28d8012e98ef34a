"""Architectures of transformers: a search, PEFT's training with the ranks found, saving, loading and merging."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from autolora import find_ranks
from tests.autolora.finding.test_find_ranks import arguments

SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip
LLAMA = SIZES | {"num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0}
SEQUENCES = {"d_model": 16, "vocab_size": 64, "encoder_layers": 2, "decoder_layers": 2, "decoder_start_token_id": 1}
HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
IMAGE = SIZES | {"image_size": 8, "patch_size": 4, "num_labels": 2}
SPOKEN = (
    SEQUENCES | HEADS | {"num_mel_bins": 8, "max_source_positions": 6, "max_target_positions": 8, "pad_token_id": 0}
)
DROPOUTS = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Llama": ("LlamaForCausalLM", "LlamaConfig", LLAMA),
    "BERT": ("BertForSequenceClassification", "BertConfig", SIZES),
    "GPT-2": ("GPT2LMHeadModel", "GPT2Config", {"vocab_size": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, **DROPOUTS}),
    "T5": ("T5ForConditionalGeneration", "T5Config", {
        "vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2,
        "decoder_start_token_id": 0,
    }),
    "Qwen2": ("Qwen2ForCausalLM", "Qwen2Config", LLAMA),
    "Qwen3": ("Qwen3ForCausalLM", "Qwen3Config", LLAMA),
    "Gemma": ("GemmaForCausalLM", "GemmaConfig", LLAMA),
    "Gemma 2": ("Gemma2ForCausalLM", "Gemma2Config", LLAMA),
    "Gemma 3": ("Gemma3ForCausalLM", "Gemma3TextConfig", LLAMA),
    "Mistral": ("MistralForCausalLM", "MistralConfig", LLAMA),
    "Mixtral": ("MixtralForCausalLM", "MixtralConfig", LLAMA | {"num_local_experts": 2}),
    "Phi-3": ("Phi3ForCausalLM", "Phi3Config", LLAMA),
    "GPT-NeoX": ("GPTNeoXForCausalLM", "GPTNeoXConfig", SIZES),
    "Falcon": ("FalconForCausalLM", "FalconConfig", SIZES),
    "Bloom": ("BloomForCausalLM", "BloomConfig", {"vocab_size": 64, "hidden_size": 16, "n_layer": 2, "n_head": 2}),
    "OPT": ("OPTForCausalLM", "OPTConfig", SIZES | {"ffn_dim": 32, "word_embed_proj_dim": 16}),
    "BART": ("BartForConditionalGeneration", "BartConfig", SEQUENCES | HEADS),
    "Whisper": ("WhisperForConditionalGeneration", "WhisperConfig", SPOKEN),
    "ViT": ("ViTForImageClassification", "ViTConfig", IMAGE),
    "ModernBERT": ("ModernBertForSequenceClassification", "ModernBertConfig", SIZES | {"pad_token_id": 0}),
    "RoBERTa": ("RobertaForSequenceClassification", "RobertaConfig", SIZES),
    "DeBERTa": ("DebertaV2ForSequenceClassification", "DebertaV2Config", SIZES),
    "DistilBERT": ("DistilBertForSequenceClassification", "DistilBertConfig", {
        "vocab_size": 64, "dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2,
    }),
}  # fmt: skip
FAST = ("Llama", "BERT", "GPT-2", "T5")
EXPERTS = {"Mixtral": ["q_proj", "k_proj", "v_proj", "o_proj"]}
"""Models whose experts are bare parameters, which "all-linear" is refused for -> layers to name instead."""


def builder(name: str) -> Callable[[], nn.Module]:
    kind, config, sizes = MODELS[name]

    def build() -> nn.Module:
        torch.manual_seed(0)
        model: nn.Module = getattr(tf, kind)(getattr(tf, config)(**sizes))
        return model

    return build


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
