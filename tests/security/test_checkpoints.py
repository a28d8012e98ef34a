"""A checkpoint that somebody else made runs nothing, and is refused as one that cannot be read."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from autolora.training.checkpoint import DamagedCheckpointError, _digest, load_checkpoint, save_checkpoint
from tests.security.test_models import Evil

NESTED = "[" * 100_000
OUTLINES: dict[str, dict[str, str] | None] = {
    "none": None,
    "another name": {"plan": "[]"},
    "no JSON": {"outline": "{"},
    "nested without end": {"outline": NESTED},
    "an unknown tensor": {"outline": '{"tensor": "9"}'},
    "a tensor without a name": {"outline": '{"tensor": null}'},
    "no pairs": {"outline": '{"pears": []}'},
    "pairs that are none": {"outline": '{"pairs": [1]}'},
    "a key that is none": {"outline": '{"pairs": [[[], 1]]}'},
}


def test_a_pickle_by_a_checkpoints_name_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "train.safetensors"
    for write in (_pickle, _torch):
        write({"weights": Evil(tmp_path / "ran")}, path)
        with pytest.raises(DamagedCheckpointError):
            load_checkpoint(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "header",
    [
        (2**63).to_bytes(8, "little"),
        (2**26).to_bytes(8, "little") + b"{" * 100,
        len(NESTED).to_bytes(8, "little") + NESTED.encode(),
        b"",
        b"\x02\0\0\0\0\0\0\0{",
    ],
    ids=["longer than any file", "longer than this file", "nested without end", "nothing", "cut off"],
)
def test_a_hostile_header_is_refused(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.safetensors"
    path.write_bytes(header)
    with pytest.raises(DamagedCheckpointError):
        load_checkpoint(path)


def test_tensors_that_lie_outside_of_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.safetensors"
    save_checkpoint(path, {"weights": torch.ones(4)})
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"shape":[4]', b'"shape":[9]'))
    with pytest.raises(DamagedCheckpointError):
        load_checkpoint(path)


@pytest.mark.parametrize("metadata", OUTLINES.values(), ids=OUTLINES)
def test_a_hostile_outline_is_refused_as_a_checkpoint_that_cannot_be_read(
    metadata: dict[str, str] | None, tmp_path: Path
) -> None:
    path = tmp_path / "train.safetensors"
    _save(path, metadata)
    with pytest.raises(DamagedCheckpointError):
        load_checkpoint(path)


def test_names_in_an_outline_are_no_paths(tmp_path: Path) -> None:
    path = tmp_path / "train.safetensors"
    (tmp_path / "secret").write_text("secret", "utf-8")
    _save(path, {"outline": json.dumps({"tensor": "../secret"})})
    with pytest.raises(DamagedCheckpointError):
        load_checkpoint(path)


def _save(path: Path, metadata: dict[str, str] | None) -> None:
    """With the sum that belongs to it: who can write an outline can write that, too."""
    tensors = {"0": torch.ones(1)}
    if metadata and "outline" in metadata:
        metadata = metadata | {"sha256": _digest(metadata["outline"], tensors)}
    save_file(tensors, path, metadata=metadata)


def _pickle(state: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(state))


_torch: Callable[[Any, Path], None] = torch.save
