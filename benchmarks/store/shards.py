"""A plan in parts, each run by itself with a store of its own, and the parts joined again."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.core.nested import digest, plain
from benchmarks.core.spec import InputError
from benchmarks.store.result import Result
from benchmarks.store.store import IDENTITY_DIGITS, Format, Store, read_record, write_atomically

SCHEMA = 1
MANIFEST = "shard.json"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of so many parts of a plan."""

    number: int
    """From 1 on."""
    of: int

    def takes(self, place: int) -> bool:
        """Whether the plan's group of that place is its own: in turns, so that equal ones spread."""
        return place % self.of == self.number - 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a shard's store says of itself: the content of its `shard.json`."""

    schema: int = SCHEMA
    number: int
    of: int
    cells: tuple[str, ...]
    """Identities of all cells of the plan, the other shards' too."""

    @property
    def plan(self) -> str:
        """Digest of what was planned, which all shards of a run have in common."""
        return digest([self.of, list(self.cells)])


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What joining came to."""

    copied: int
    known: int
    """Results that were there already, the same to the bit."""
    missing: Sequence[str]
    """Cells of the plan that no shard has finished, as the beginnings of their identities."""
    failed: Sequence[str]
    """Cells that failed, with their reasons."""
    absent: Sequence[int]
    """Numbers of the shards that were not given."""

    @property
    def complete(self) -> bool:
        """Whether every cell of the plan is there and done."""
        return not (self.missing or self.failed or self.absent)


MANIFEST_FILE = Format(kind=Manifest, name="shard", schema=SCHEMA, remedy="run the shard again")


def write_manifest(store: Store, shard: Shard, cells: Sequence[str]) -> None:
    """Say in a store which shard it is of. Raises InputError: it is another one's already."""
    path = store.folder / MANIFEST
    manifest = Manifest(number=shard.number, of=shard.of, cells=tuple(sorted(cells)))
    if path.exists() and (known := read_record(path, MANIFEST_FILE)) != manifest:
        raise InputError(
            f"{store.folder} is the store of shard {known.number}/{known.of} of another plan or another shard; "
            "give each shard a folder of its own with --runs"
        )
    write_atomically(path, (json.dumps(plain(manifest), indent=1) + "\n").encode())


def merge(folders: Sequence[Path], target: Store) -> Merged:
    """Copy the shards' results into one store, which is left as it is where anything speaks against it.

    Raises:
        InputError: a folder is no shard's store, or holds links; two are of different plans, or a cell's results differ.
    """
    manifests = [_manifest(folder) for folder in folders]
    if links := [path for folder in folders for path in folder.rglob("*") if path.is_symlink()]:
        raise InputError(f"{links[0]} is a link, and what it leads to may be no result; put the file itself there")
    if len({manifest.plan for manifest in manifests}) > 1:
        raise InputError("these are shards of different plans; merge those of one run at a time")
    sources = [(path, result) for folder in folders for path, result in _results(Store(folder=folder))]
    copied, known = [], 0
    seen: dict[Path, Result] = {}
    for path, result in sources:
        place = target.folder_of(result).path
        before = seen.get(place) or target.folder_of(result).result()
        if before is None or before.status != "done":
            copied.append((path, place))
        elif before.fingerprints != result.fingerprints:
            raise InputError(
                f"{path} and {place} are the same cell in the same environment with different predictions; "
                "`measure determinism` says why, and one of them has to be removed"
            )
        else:
            known += 1
        seen[place] = result
    for path, place in copied:
        _copy(path, place)
    first = manifests[0]
    done = {result.identity for _, result in sources if result.status == "done"}
    failed = {result.identity: result for _, result in sources if result.status == "failed"}
    return Merged(
        copied=len(copied),
        known=known,
        missing=[cell[:IDENTITY_DIGITS] for cell in first.cells if cell not in done | failed.keys()],
        failed=[
            f"{result.task} {result.method} seed {result.seed}: {result.reason}"
            for identity, result in failed.items()
            if identity not in done
        ],
        absent=sorted({*range(1, first.of + 1)} - {manifest.number for manifest in manifests}),
    )


def _manifest(folder: Path) -> Manifest:
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} holds no {MANIFEST}: it is not the store of `run --shard I/N --runs {folder}`")
    return read_record(folder / MANIFEST, MANIFEST_FILE)


def _results(store: Store) -> list[tuple[Path, Result]]:
    return [(path.parent, result) for path, result in zip(store.paths(), store.results(), strict=True)]


def _copy(source: Path, place: Path) -> None:
    """The result last: a cell without it is one that is still to do."""
    place.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir(), key=lambda path: path.name == "result.json"):
        if path.is_file() and not path.name.startswith("."):
            write_atomically(place / path.name, path.read_bytes())
        elif path.is_dir() and path.name != "checkpoints":
            shutil.copytree(path, place / path.name, dirs_exist_ok=True)
