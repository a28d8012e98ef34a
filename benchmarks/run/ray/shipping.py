"""Packs what is sent to the nodes of a cluster: this project's code, and small folders of data or weights."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import autolora
import baselines
import benchmarks
from benchmarks.core.spec import InputError

CODE = (autolora, baselines, benchmarks)
MAX_BYTES = 200_000_000
"""Largest size of a folder that is sent."""


def pack(target: Path, names: Iterable[str]) -> None:
    """Copy the code, and the folders among some values of --data and --model, into the folder that is sent.

    Only folders with a relative path are sent: the working directory of a node is the folder that was sent, so that the
    same relative path is valid there. A folder with an absolute path must exist on every node.

    Raises:
        InputError: a folder cannot be sent.
    """
    for package in CODE:
        (source,) = package.__path__
        shutil.copytree(source, target / Path(source).name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in sorted(set(names)):
        folder = Path(name)
        if folder.is_absolute() or not folder.is_dir():
            continue
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if ".." in folder.parts or size > MAX_BYTES or (target / folder).exists():
            raise InputError(
                f"the folder {name} ({size / 1e6:.0f} MB) cannot be sent to the nodes: only folders below this one, of "
                f"at most {MAX_BYTES / 1e6:.0f} MB. Put it at the same absolute path on every node, and give its absolute path"
            )
        shutil.copytree(folder, target / folder)
