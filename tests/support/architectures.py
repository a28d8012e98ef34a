"""Tiny random models of the architectures that `find_ranks` is tested with, and the table of docs/models.md.

`python -m tests.support.architectures` prints the table.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import transformers as tf
from peft import LoraConfig
from torch import nn

from autolora.adapters.fused import ROLES, SplitProjection, split_fused
from autolora.adapters.head import find_head
from autolora.adapters.projections import SPLITTABLE, find_projections, whole_fused
from autolora.finding.requested import targets_of

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
EXPERTS = {"Mixtral": ["q_proj", "k_proj", "v_proj", "o_proj"]}
"""Models whose experts are bare parameters, which "all-linear" is refused for -> layers to name instead."""


def builder(name: str) -> Callable[[], nn.Module]:
    kind, config, sizes = MODELS[name]

    def build() -> nn.Module:
        torch.manual_seed(0)
        model: nn.Module = getattr(tf, kind)(getattr(tf, config)(**sizes))
        return model

    return build


def table() -> str:
    """The table of docs/models.md, in Markdown: what is adapted without `target_modules`, and with "all-linear"."""
    head = ("model", "class", "without `target_modules`", '`"all-linear"`', "fused projections")
    rows = [head, ["---"] * len(head), *(_row(name) for name in MODELS)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: str) -> list[str]:
    model = builder(name)()
    head = find_head(model)
    targets = targets_of(LoraConfig(), model, head)
    split_fused(model, targets)
    split = [full for full, module in model.named_modules() if isinstance(module, SplitProjection)]
    fused = split or whole_fused(model) or []
    handling = f"{', '.join(_names(fused))}: {'split for the search' if split else 'one layer with one rank'}"
    default = _names(each.name for each in find_projections(model, targets, head))
    return [name, f"`{MODELS[name][0]}`", ", ".join(default), _all_linear(name), handling if fused else ""]


def _all_linear(name: str) -> str:
    model = builder(name)()
    try:
        return ", ".join(_names(each.name for each in find_projections(model, "all-linear", find_head(model))))
    except ValueError:
        assert name in EXPERTS
        names = ", ".join(f"`{each}`" for each in EXPERTS[name])
        return f"refused, as its experts are bare parameters: name {names}"


def _names(names: Iterator[str] | list[str]) -> list[str]:
    """Last parts of names, without duplicates; of a split projection's parts with the projection's own."""
    parts = [name.split(".") for name in names]
    ends = [".".join(each[-2:]) if each[-1] in ROLES and each[-2] in SPLITTABLE else each[-1] for each in parts]
    return [*dict.fromkeys(f"`{end}`" for end in ends)]


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201  the table
