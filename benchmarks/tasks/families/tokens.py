"""Texts as tokens and back, and batches of prompts with the text to learn after them."""

from collections.abc import Sequence
from typing import cast

import torch
from transformers import PreTrainedTokenizerBase

from autolora.problem import Batch, Example
from autolora.training.batches import IGNORED


def tokens_of(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, without special tokens."""
    tokens: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return tokens


def text_of(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> str:
    """The text of tokens, without special tokens and without white space at its ends."""
    text = tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return cast("str", text).strip()


def pad(examples: Sequence[Example], *, end: int) -> Batch:
    """Pad to the longest example: int64 tensors of shape (batch, tokens); the loss covers the text and its end only."""
    length = max(len(example["input_ids"]) for example in examples)
    rows = [(example["input_ids"], example["prompt"], length - len(example["input_ids"])) for example in examples]
    return {
        "input_ids": torch.tensor([[*tokens, *[end] * rest] for tokens, _, rest in rows]),
        "attention_mask": torch.tensor([[1] * len(tokens) + [0] * rest for tokens, _, rest in rows]),
        "labels": torch.tensor(
            [[*[IGNORED] * prompt, *tokens[prompt:], *[IGNORED] * rest] for tokens, prompt, rest in rows]
        ),
    }
