"""Checkpoints of one stage of a run: nested state in a safetensors file, written whole or not at all."""

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
"""Tensors and JSON scalars, nested in dicts (any scalar key), lists and tuples; tuples come back as lists."""


class DamagedCheckpointError(ValueError):
    """A file is not what `save_checkpoint` wrote."""


def save_checkpoint(path: Path, state: State) -> None:
    """Write state to path, whole or not at all.

    Raises:
        OSError: the disk is full, or the folder cannot be written; path is as it was.
    """
    tensors: dict[str, Tensor] = {}
    outline = json.dumps(_pack(state, tensors))
    write_atomically(path, save(tensors, metadata={"outline": outline, "sha256": _digest(outline, tensors)}))


def load_checkpoint(path: Path) -> State:
    """Read what `save_checkpoint` wrote, onto the CPU.

    Raises:
        DamagedCheckpointError: it is cut off, has other bytes than were written, or is something else.
        OSError: it cannot be opened.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            described = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a mapping
    except SafetensorError as error:
        raise DamagedCheckpointError(f"the checkpoint {path} is damaged: {error}") from error
    outline = described.get("outline", "")
    if described.get("sha256") != _digest(outline, tensors):
        raise DamagedCheckpointError(f"the checkpoint {path} is damaged: its sha256 is not the one that it names")
    try:
        return _unpack(json.loads(outline), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError(f"the checkpoint {path} is damaged: its outline is none: {error!r}") from error


class TensorState:
    """Tensors that go into a checkpoint by themselves."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tensors

    def state_dict(self) -> list[Tensor]:
        """The tensors."""
        return list(self._tensors)

    @torch.no_grad()
    def load_state_dict(self, state: Sequence[Tensor]) -> None:
        """Copy values into them."""
        for tensor, value in zip(self._tensors, state, strict=True):
            tensor.copy_(value)


def _pack(value: State, tensors: dict[str, Tensor]) -> Any:
    """JSON outline of value; each tensor moves to `tensors` and leaves its key."""
    if isinstance(value, Tensor):
        key = str(len(tensors))
        tensors[key] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": key}
    if isinstance(value, Mapping):  # as pairs: JSON's keys are strings, an optimizer's are integers
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
    """Sha256 of the outline, and of the tensors' bytes in the order of their keys."""
    digest = hashlib.sha256(outline.encode())
    for key in sorted(tensors):
        digest.update(tensors[key].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
