"""Backbones, and how a fresh model is built from one."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from benchmarks.core.spec import Head, InputError
from benchmarks.data.models.architectures import RANDOM, architecture, random_config, tokenizer_of
from benchmarks.data.models.weights import pretrained_folder, sha256_of, weight_files

_CLASSES: Mapping[Head, Any] = MappingProxyType(
    {
        "sequence": AutoModelForSequenceClassification,
        "token": AutoModelForTokenClassification,
        "language": AutoModelForCausalLM,
    }
)
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "minilm": "MiniLM-L6",
        "decoder": "small GPT-2",
        "roberta-base": "RoBERTa-base",
        "roberta-large": "RoBERTa-large",
        "gpt2-medium": "GPT2-medium",
    }
)
_HEADS = ("classifier", "score")
_MAYBE_NEW = (*_HEADS, "pooler", "pre_classifier")
"""Modules that belong to the head where the pretrained weights lack them."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A pretrained model, ready to get a new head."""

    title: str
    """As a report names it."""
    folder: Path | None
    """Weights, config and tokenizer; None for random weights."""
    fingerprint: str
    """See `fingerprint`."""
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    head: tuple[str, ...]
    """Last names of the modules that a classifier's head adds; see `new_modules`."""
    parameters: int
    """Numbers in the model, its head left out."""
    multiplied: int
    """Those of them that every token is multiplied with: embeddings left out."""

    @property
    def positions(self) -> int:
        """Tokens that it can read at most."""
        positions = getattr(self.config, "max_position_embeddings", None)
        return int(positions) if positions and positions > 0 else sys.maxsize

    def new_modules(self, head: Head) -> tuple[str, ...]:
        """Last names of the modules that are new under such a head, and that every method trains in full."""
        return () if head == "language" else self.head

    def builder(
        self,
        num_labels: int,
        seed: int,
        dropout: float | None = None,
        head: Head = "sequence",
        *,
        label_smoothing: float = 0.0,
        checkpointing: bool = False,
    ) -> Callable[[], nn.Module]:
        """A function that returns the same model at every call: the pretrained weights and a new head.

        Args:
            num_labels: outputs of the head; 1 is regression (mean squared error).
            seed: decides the new head's initial values; for `random:` all others are the same for every seed.
            dropout: share of activations dropped in training, everywhere in the model; None leaves the model's own.
            head: what it reads; "language" is the model's own, which is not new.
            label_smoothing: share of a token's probability that a language model's loss spreads over all tokens.
            checkpointing: compute activations anew in the backward pass instead of keeping them.

        Raises:
            InputError: it cannot write, or something else than a language model's loss shall be smoothed.
        """
        if head == "language" and self.config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
            raise InputError(
                f"{self.title} reads texts but does not write any; take a decoder: --model decoder, gpt2-medium"
            )
        if label_smoothing and head != "language":
            raise InputError("label_smoothing is for tasks whose model writes texts; leave it out for the others")

        def build() -> nn.Module:
            model: Any = _build(self.folder, self.config, num_labels, seed, head)[0]
            if checkpointing:
                model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            if head == "language":
                model.loss_function = partial(_next_token_loss, smoothing=label_smoothing)
            for module in model.modules():
                if dropout is not None and isinstance(module, nn.Dropout):
                    module.p = dropout
            return cast("nn.Module", model)

        return build


def open_backbone(name: str) -> Backbone:
    """Find the backbone of that name, verify it, and load its tokenizer.

    Args:
        name: "minilm", "decoder", "roberta-base", "roberta-large", "gpt2-medium", another Hub id, a local folder, or
            "random:NAME" for an architecture without pretrained weights (and the tokenizer of MiniLM or of the
            decoder), for measurements of cost.

    Raises:
        InputError: there is no such backbone, it cannot be reached, or its files are not what they should be.
    """
    folder = None if name.startswith(RANDOM) else pretrained_folder(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder or pretrained_folder(tokenizer_of(name), weights=False), trust_remote_code=False
        )
        config = (
            AutoConfig.from_pretrained(folder, trust_remote_code=False) if folder else random_config(name, tokenizer)
        )
        if tokenizer.pad_token is None:  # GPT-2 has none
            tokenizer.pad_token = tokenizer.eos_token
            config.pad_token_id = tokenizer.pad_token_id
        with nullcontext() if folder else torch.device("meta"):  # random weights are counted, not drawn
            model, missing = _build(folder, config, num_labels=2, seed=0)
    except (ValueError, ImportError, OSError, SafetensorError) as error:
        raise InputError(f"--model {name} cannot be used as a classifier: {error}") from error
    new = {part for key in missing for part in key.split(".")}
    head = tuple(part for part in _MAYBE_NEW if part in new) if folder else _HEADS
    body = [(key, weight) for key, weight in model.named_parameters() if not set(key.split(".")) & set(head)]
    return Backbone(
        title=_title(name),
        folder=folder,
        fingerprint=fingerprint(name),
        config=config,
        tokenizer=tokenizer,
        head=head,
        parameters=sum(weight.numel() for _, weight in body),
        multiplied=sum(weight.numel() for key, weight in body if "embeddings" not in key),
    )


@lru_cache(maxsize=8)
def fingerprint(name: str) -> str:
    """sha256 over the weights and the config of a backbone, as 64 hex digits.

    Raises:
        InputError: as `open_backbone`.
    """
    digest = hashlib.sha256()
    if name.startswith(RANDOM):
        digest.update(json.dumps(dict(architecture(name)), sort_keys=True).encode())
    else:
        for path in sorted([*weight_files(pretrained_folder(name)), pretrained_folder(name) / "config.json"]):
            digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _next_token_loss(logits: Tensor, labels: Tensor, *, smoothing: float, **_: Any) -> Tensor:
    """Mean cross-entropy of the tokens that are labelled, each said by the one before it; a scalar.

    Args:
        logits: shape (batch, tokens, vocabulary).
        labels: shape (batch, tokens); -100 counts for nothing.
        smoothing: share of the probability that all tokens have in equal parts.
    """
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), label_smoothing=smoothing)


def _build(
    folder: Path | None, config: PretrainedConfig, num_labels: int, seed: int, head: Head = "sequence"
) -> tuple[nn.Module, frozenset[str]]:
    """The model, and the names of the weights that were not in the folder."""
    config = type(config).from_dict(config.to_dict())
    if num_labels:
        config.num_labels = num_labels
    if head == "sequence":
        config.problem_type = "regression" if num_labels == 1 else "single_label_classification"
    # Eager attention: it has second derivatives, and up to 64 tokens it is the fastest on a CPU.
    with torch.random.fork_rng():
        if folder is None:
            torch.manual_seed(0)
            model = _CLASSES[head].from_config(config, attn_implementation="eager")
            torch.manual_seed(seed)
            for module in model.children():
                if isinstance(module, nn.Linear):
                    module.reset_parameters()
            return model, frozenset()
        torch.manual_seed(seed)
        model, info = _CLASSES[head].from_pretrained(
            folder,
            config=config,
            attn_implementation="eager",
            dtype=torch.float32,
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        return model, frozenset(info["missing_keys"])


def _title(name: str) -> str:
    if name.startswith(RANDOM):
        return f"{name.removeprefix(RANDOM)} with random weights"
    return _TITLES.get(name, name)
