"""Checkpoints of one stage of a run: nested state in a safetensors file, written atomically."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from autolora.files import write_atomically

State = Any
"""Tensors and JSON scalars, nested in dicts (any scalar key), lists and tuples; tuples are loaded as lists."""


class DamagedCheckpointError(ValueError):
    """The content of a file differs from what `save_checkpoint` wrote."""


def save_checkpoint(path: Path, state: State) -> None:
    """Write state to path atomically.

    Raises:
        OSError: the disk is full, or the folder cannot be written; the file at path is unchanged.
    """
    tensors: dict[str, Tensor] = {}
    outline = json.dumps(_pack(state, tensors))
    write_atomically(path, save(tensors, metadata={"outline": outline, "sha256": _digest(outline, tensors)}))


def load_checkpoint(path: Path) -> State:
    """Load the state that `save_checkpoint` wrote; its tensors are on the CPU.

    Raises:
        DamagedCheckpointError: the file is truncated, altered, or no checkpoint at all.
        OSError: the file cannot be opened.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a mapping
    except SafetensorError as error:
        raise DamagedCheckpointError(f"the checkpoint {path} is damaged: {error}") from error
    outline = metadata.get("outline", "")
    if metadata.get("sha256") != _digest(outline, tensors):
        raise DamagedCheckpointError(f"the checkpoint {path} is damaged: its content does not match its sha256")
    try:
        return _unpack(json.loads(outline), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError(f"the checkpoint {path} is damaged: its outline is invalid: {error!r}") from error


class TensorState:
    """Makes a sequence of tensors `Stateful`, so that it can go into a checkpoint."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tensors

    def state_dict(self) -> list[Tensor]:
        """The tensors, as a list."""
        return list(self._tensors)

    @torch.no_grad()
    def load_state_dict(self, state: Sequence[Tensor]) -> None:
        """Copy the saved values into the tensors."""
        for tensor, value in zip(self._tensors, state, strict=True):
            tensor.copy_(value)


def _pack(value: State, tensors: dict[str, Tensor]) -> Any:
    """JSON outline of value, with each tensor replaced by its key in `tensors`, where a CPU copy is added."""
    if isinstance(value, Tensor):
        key = str(len(tensors))
        tensors[key] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": key}
    if isinstance(value, Mapping):  # as pairs, since JSON keys are strings, and an optimizer's keys are integers
        return {"pairs": [[key, _pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_pack(item, tensors) for item in value]
    return value


def _unpack(outline: Any, tensors: Mapping[str, Tensor]) -> State:
    if isinstance(outline, list):
        return [_unpack(item, tensors) for item in outline]
    if isinstance(outline, dict):
        if "tensor" in outline:
            return tensors[outline["tensor"]]
        return {key: _unpack(item, tensors) for key, item in outline["pairs"]}
    return outline


def _digest(outline: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the outline followed by the tensors' bytes in the order of their keys."""
    digest = hashlib.sha256(outline.encode())
    for key in sorted(tensors):
        digest.update(tensors[key].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
