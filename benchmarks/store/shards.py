"""A plan split into shards, each run separately with its own store, and the merging of these stores."""

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
    """One shard of a plan."""

    number: int
    """Number of the shard, counted from 1."""
    of: int
    """Number of shards of the plan."""

    def takes(self, index: int) -> bool:
        """Whether the shard runs the plan's group with this index; groups are dealt round-robin to spread similar ones."""
        return index % self.of == self.number - 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Description of a shard, kept in its store: the content of `shard.json`."""

    schema: int = SCHEMA
    number: int
    of: int
    cells: tuple[str, ...]
    """Identities of all cells of the plan, including those of other shards."""

    @property
    def plan(self) -> str:
        """Digest of the plan, equal for all shards of a run."""
        return digest([self.of, list(self.cells)])


@dataclass(frozen=True, kw_only=True)
class Merged:
    """Outcome of merging the stores of shards."""

    copied: int
    known: int
    """Number of results that the target already had, with the same predictions."""
    missing: Sequence[str]
    """Cells of the plan without a result, as the first digits of their identities."""
    failed: Sequence[str]
    """Failed cells, with the reasons of their failures."""
    absent: Sequence[int]
    """Numbers of the shards whose stores were not given."""

    @property
    def complete(self) -> bool:
        """Whether every cell of the plan has a result and none failed."""
        return not (self.missing or self.failed or self.absent)


MANIFEST_FILE = Format(kind=Manifest, name="shard", schema=SCHEMA, remedy="run the shard again")


def write_manifest(store: Store, shard: Shard, cells: Sequence[str]) -> None:
    """Record in a store which shard it belongs to. Raises InputError: the store belongs to a different shard."""
    path = store.folder / MANIFEST
    manifest = Manifest(number=shard.number, of=shard.of, cells=tuple(sorted(cells)))
    if path.exists() and (known := read_record(path, MANIFEST_FILE)) != manifest:
        raise InputError(
            f"{store.folder} is the store of shard {known.number}/{known.of} of another plan or another shard; "
            "give each shard a folder of its own with --runs"
        )
    write_atomically(path, (json.dumps(plain(manifest), indent=1) + "\n").encode())


def merge(folders: Sequence[Path], target: Store) -> Merged:
    """Copy the results of shards into one store. If an error is raised, the target store is unchanged.

    Raises:
        InputError: a folder is not a shard's store, or contains links; the shards belong to different plans; or two
            results of the same cell differ.
    """
    manifests = _manifests(folders)
    sources = [(path, result) for folder in folders for path, result in _results(Store(folder=folder))]
    copies, known = _planned_copies(sources, target)
    for source, destination in copies:
        _copy(source, destination)
    done = {result.identity for _, result in sources if result.status == "done"}
    failed = {result.identity: result for _, result in sources if result.status == "failed"}
    plan = manifests[0]
    return Merged(
        copied=len(copies),
        known=known,
        missing=[cell[:IDENTITY_DIGITS] for cell in plan.cells if cell not in done | failed.keys()],
        failed=[
            f"{result.task} {result.method} seed {result.seed}: {result.reason}"
            for identity, result in failed.items()
            if identity not in done
        ],
        absent=sorted({*range(1, plan.of + 1)} - {manifest.number for manifest in manifests}),
    )


def _manifests(folders: Sequence[Path]) -> list[Manifest]:
    """The manifests of shards of one plan. Raises InputError: as `merge`."""
    manifests = [_manifest(folder) for folder in folders]
    if links := [path for folder in folders for path in folder.rglob("*") if path.is_symlink()]:
        raise InputError(f"{links[0]} is a link, which may lead to a file that is not a result; replace it by the file")
    if len({manifest.plan for manifest in manifests}) > 1:
        raise InputError("the shards belong to different plans; merge the shards of one run at a time")
    return manifests


def _manifest(folder: Path) -> Manifest:
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} has no {MANIFEST}, so it is not the store of `run --shard I/N --runs {folder}`")
    return read_record(folder / MANIFEST, MANIFEST_FILE)


def _results(store: Store) -> list[tuple[Path, Result]]:
    return [(path.parent, result) for path, result in zip(store.paths(), store.results(), strict=True)]


def _planned_copies(sources: Sequence[tuple[Path, Result]], target: Store) -> tuple[list[tuple[Path, Path]], int]:
    """Pairs of source and destination folders, and the number of results that need no copy.

    Raises:
        InputError: two results of the same cell differ.
    """
    copies: list[tuple[Path, Path]] = []
    known = 0
    latest: dict[Path, Result] = {}
    for source, result in sources:
        destination = target.folder_of(result).path
        before = latest.get(destination) or target.folder_of(result).result()
        if before is None or before.status != "done":
            copies.append((source, destination))
        elif before.fingerprints != result.fingerprints:
            raise InputError(
                f"{source} and {destination} are the same cell in the same environment with different predictions; "
                "`measure determinism` shows why, and one of the two has to be removed"
            )
        else:
            known += 1
        latest[destination] = result
    return copies, known


def _copy(source: Path, destination: Path) -> None:
    """Copy a cell's folder, `result.json` last: a folder without that file counts as unfinished."""
    destination.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir(), key=lambda path: path.name == "result.json"):
        if path.is_file() and not path.name.startswith("."):
            write_atomically(destination / path.name, path.read_bytes())
        elif path.is_dir() and path.name != "checkpoints":
            shutil.copytree(path, destination / path.name, dirs_exist_ok=True)
