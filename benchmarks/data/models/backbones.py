"""Backbones, and construction of fresh models from them."""

import hashlib
import inspect
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

from autolora.adapters.head import find_head
from autolora.adapters.layers import head_parameters
from autolora.training.batches import IGNORED
from benchmarks.core.spec import Head, InputError
from benchmarks.data.models.architectures import RANDOM, architecture, random_config, tokenizer_of
from benchmarks.data.models.weights import fingerprinted_files, pretrained_folder, sha256_of

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
        "smollm2": "SmolLM2-135M-Instruct in 4 bits",
        "roberta-base": "RoBERTa-base",
        "roberta-large": "RoBERTa-large",
        "gpt2-medium": "GPT2-medium",
    }
)


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A pretrained model without a task head."""

    title: str
    """Name in reports."""
    folder: Path | None
    """Folder with weights, config and tokenizer; None for random weights."""
    fingerprint: str
    """See the function `fingerprint`."""
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    head: tuple[str, ...]
    """Names of the modules that a classification head adds, by `find_head`; see `new_modules`."""
    parameters: int
    """Number of parameters, without the head."""
    multiplied: int
    """Number of parameters, without head and embeddings: those used in the matrix products of every token."""

    @property
    def positions(self) -> int:
        """Maximum number of tokens of an input."""
        positions = getattr(self.config, "max_position_embeddings", None)
        return int(positions) if positions and positions > 0 else sys.maxsize

    def new_modules(self, head: Head) -> tuple[str, ...]:
        """Names of the newly initialised modules of a head, which every method trains in full."""
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
        """Return a function that builds the same model at every call: pretrained weights and a new head.

        Args:
            num_labels: number of outputs of the head; 1 means regression (mean squared error).
            seed: seed of the head's initial values; the other weights of `random:` are the same for every seed.
            dropout: dropout probability of all layers; None keeps the probabilities of the config.
            head: type of the head; "language" is the pretrained language model head.
            label_smoothing: label smoothing of a language model's loss, in [0, 1).
            checkpointing: use gradient checkpointing.

        Raises:
            InputError: an encoder cannot have a language head, or label smoothing is set for another head.
        """
        self._check_head(head, label_smoothing)

        def build() -> nn.Module:
            model: Any = _build(self.folder, self.config, num_labels, seed, head)
            if checkpointing:
                model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            if head == "language":
                model.loss_function = partial(_next_token_loss, smoothing=label_smoothing)
                if "logits_to_keep" in inspect.signature(model.forward).parameters:
                    model.register_forward_pre_hook(_from_the_first_label, with_kwargs=True)
            for module in model.modules():
                if dropout is not None and isinstance(module, nn.Dropout):
                    module.p = dropout
            return cast("nn.Module", model)

        return build

    def _check_head(self, head: Head, label_smoothing: float) -> None:
        if head == "language" and self.config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
            raise InputError(
                f"{self.title} is an encoder and cannot generate text; use a decoder: --model decoder, gpt2-medium"
            )
        if label_smoothing and head != "language":
            raise InputError("label_smoothing is for text generation tasks only; remove it for other tasks")


def open_backbone(name: str) -> Backbone:
    """Find a backbone, verify its files, and load its tokenizer.

    Args:
        name: "minilm", "decoder", "smollm2", "roberta-base", "roberta-large", "gpt2-medium", another Hub id, a local
            folder, or "random:NAME" for an architecture with random weights (and the tokenizer of MiniLM or of the
            decoder), for cost measurements.

    Raises:
        InputError: the backbone does not exist, cannot be downloaded, or its files are not the expected ones.
    """
    folder = None if name.startswith(RANDOM) else pretrained_folder(name)
    try:
        tokenizer, config = _tokenizer_and_config(name, folder)
        with (
            nullcontext() if folder else torch.device("meta")
        ):  # random weights are only counted, so none are allocated
            model = _build(folder, config, num_labels=2, seed=0)
    except (ValueError, ImportError, OSError, SafetensorError) as error:
        raise InputError(f"--model {name} cannot be used as a classifier: {error}") from error
    head = find_head(model)
    in_head = {*head_parameters(model, head)}
    body = [(key, weight) for key, weight in model.named_parameters() if weight not in in_head]
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
    """sha256 over the weights and the config of a backbone, in hex.

    Raises:
        InputError: as `open_backbone`.
    """
    digest = hashlib.sha256()
    if name.startswith(RANDOM):
        digest.update(json.dumps(dict(architecture(name)), sort_keys=True).encode())
    else:
        for path in fingerprinted_files(name):
            digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _tokenizer_and_config(name: str, folder: Path | None) -> tuple[PreTrainedTokenizerBase, PretrainedConfig]:
    tokenizer = AutoTokenizer.from_pretrained(
        folder or pretrained_folder(tokenizer_of(name), weights=False), trust_remote_code=False
    )
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False) if folder else random_config(name, tokenizer)
    if tokenizer.pad_token is None:  # GPT-2 has none
        tokenizer.pad_token = tokenizer.eos_token
    config.pad_token_id = tokenizer.pad_token_id  # a decoder's classification head reads the last token before padding
    return tokenizer, config


def _next_token_loss(logits: Tensor, labels: Tensor, *, smoothing: float, **_: Any) -> Tensor:
    """Mean cross-entropy of next-token prediction over the labelled tokens; a scalar.

    Args:
        logits: shape (batch, tokens, vocabulary).
        labels: shape (batch, tokens); positions with -100 are ignored.
        smoothing: label smoothing, in [0, 1).
    """
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), label_smoothing=smoothing)


def _from_the_first_label(
    _: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Leave out the logits, and labels, before the first position of the batch that predicts a label.

    The loss and its gradients stay the same. On a CPU alone, as finding the position waits for other devices.
    """
    labels = named.get("labels")
    if labels is None or labels.device.type != "cpu" or named.get("logits_to_keep"):
        return None
    first = max(0, int((labels != IGNORED).any(0).byte().argmax()) - 1)
    return positional, {**named, "labels": labels[:, first:], "logits_to_keep": labels.shape[1] - first}


def _build(
    folder: Path | None, config: PretrainedConfig, num_labels: int, seed: int, head: Head = "sequence"
) -> nn.Module:
    """Build the model."""
    config = type(config).from_dict(config.to_dict())
    if num_labels:
        config.num_labels = num_labels
    if head == "sequence":
        config.problem_type = "regression" if num_labels == 1 else "single_label_classification"
    # Eager attention supports second derivatives, and is the fastest on a CPU for up to 64 tokens.
    with torch.random.fork_rng():
        if folder is None:
            torch.manual_seed(0)
            model = _CLASSES[head].from_config(config, attn_implementation="eager")
            torch.manual_seed(seed)
            for module in model.children():
                if isinstance(module, nn.Linear):
                    module.reset_parameters()
            return cast("nn.Module", model)
        torch.manual_seed(seed)
        model = _CLASSES[head].from_pretrained(
            folder,
            config=config,
            attn_implementation="eager",
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
        )
        return cast("nn.Module", model)


def _title(name: str) -> str:
    if name.startswith(RANDOM):
        return f"{name.removeprefix(RANDOM)} with random weights"
    return _TITLES.get(name, name)
