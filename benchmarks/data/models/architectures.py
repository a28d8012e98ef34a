"""Architectures without pretrained weights (`random:NAME`), for cost measurements where weights are unavailable."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from transformers import AutoConfig, PretrainedConfig, PreTrainedTokenizerBase

from benchmarks.core.spec import InputError

RANDOM = "random:"

_ROBERTA: Mapping[str, Any] = MappingProxyType(
    {
        "model_type": "roberta",
        "vocab_size": 50265,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    }
)
_LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}
_LLAMA: Mapping[str, Any] = MappingProxyType(
    {
        "model_type": "llama",
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
    }
)
ARCHITECTURES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "roberta-base": _ROBERTA,
        "roberta-large": {**_ROBERTA, **_LARGE},
        "bert-base": {"model_type": "bert"},
        "minilm": {
            "model_type": "bert",
            "hidden_size": 384,
            "intermediate_size": 1536,
            "num_attention_heads": 12,
            "num_hidden_layers": 6,
        },
        "deberta-v3-base": {
            "model_type": "deberta-v2",
            "vocab_size": 128100,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 256,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
        "gpt2-medium": {"model_type": "gpt2", "n_embd": 1024, "n_layer": 24, "n_head": 16},
        "llama-2-7b": {**_LLAMA, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32},
        "tinyllama-1.1b": {
            **_LLAMA,
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_hidden_layers": 22,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
        },
        "decoder": {
            "model_type": "gpt2",
            "vocab_size": 4096,
            "n_positions": 512,
            "n_embd": 256,
            "n_layer": 4,
            "n_head": 4,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    }
)
"""Name -> config fields of `random:NAME`; omitted fields have transformers' defaults for the model type."""


def architecture(name: str) -> Mapping[str, Any]:
    """Config fields of `random:NAME`. Raises InputError: the name is unknown."""
    fields = ARCHITECTURES.get(name.removeprefix(RANDOM))
    if fields is None:
        raise InputError(f"--model {name}: unknown architecture; known: {', '.join(ARCHITECTURES)}")
    return fields


def tokenizer_of(name: str) -> str:
    """Backbone whose tokenizer a `random:` architecture uses: its ids fit the vocabulary, and decoders need an end token."""
    return "decoder" if architecture(name)["model_type"] in ("gpt2", "llama") else "minilm"


def random_config(name: str, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    """Config of a `random:` architecture; adapts it to the tokenizer, and the tokenizer's outputs to the architecture."""
    fields = dict(architecture(name))
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    config.pad_token_id = tokenizer.pad_token_id  # RoBERTa's position ids start after the padding id
    if config.model_type == "llama":  # whose own end-of-text token is another id
        config.eos_token_id = tokenizer.eos_token_id
    if getattr(config, "type_vocab_size", 0) < 2:
        tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
    return config
