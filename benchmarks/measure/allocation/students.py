"""Pretrained and random models without a head, whose outputs a teacher's are compared with."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, LlamaConfig

from benchmarks.core.spec import InputError
from benchmarks.data.models.weights import pretrained_folder

STUDENTS = ("llama", "minilm", "decoder")
"""A random Llama of 6 blocks, MiniLM-L6 and the small GPT-2."""
_LLAMA = LlamaConfig(
    vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=6, num_attention_heads=4,
    num_key_value_heads=4, max_position_embeddings=64, pad_token_id=0, initializer_range=0.12,
)  # fmt: skip


def student(name: str) -> Callable[[], nn.Module]:
    """A function that builds the same model at every call, without dropout.

    Args:
        name: one of STUDENTS.

    Raises:
        InputError: the name is unknown.
    """
    if name not in STUDENTS:
        raise InputError(f"unknown student {name!r}; known: {', '.join(STUDENTS)}")
    return partial(_build, name)


def _build(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        from_config: Any = AutoModel.from_config
        model: nn.Module
        if name == "llama":
            model = from_config(_LLAMA, attn_implementation="eager")
        else:
            folder = pretrained_folder(name)
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            model = AutoModel.from_pretrained(
                folder, config=config, attn_implementation="eager", dtype=torch.float32, trust_remote_code=False
            )
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model
