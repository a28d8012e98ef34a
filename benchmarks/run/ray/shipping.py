"""What travels to the nodes of a cluster: our code, and folders of data or weights that are small enough."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import autolora
import baselines
import benchmarks
from benchmarks.core.spec import InputError

CODE = (autolora, baselines, benchmarks)
MOST_BYTES = 200_000_000
"""Of a folder that travels."""


def pack(target: Path, names: Iterable[str]) -> None:
    """Copy the code, and the folders among some values of --data and --model, to where they are packed.

    A folder that is named by a relative path travels: a node works beside the code, where the same name finds it. One
    with an absolute path has to be at the same place on every node.

    Raises:
        InputError: a folder cannot travel.
    """
    for package in CODE:
        (source,) = package.__path__
        shutil.copytree(source, target / Path(source).name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in sorted(set(names)):
        folder = Path(name)
        if folder.is_absolute() or not folder.is_dir():
            continue
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if ".." in folder.parts or size > MOST_BYTES or (target / folder).exists():
            raise InputError(
                f"the folder {name} ({size / 1e6:.0f} MB) cannot be sent to the nodes: only folders below this one, of "
                f"at most {MOST_BYTES / 1e6:.0f} MB. Put it where every node finds it, and give its absolute path"
            )
        shutil.copytree(folder, target / folder)
