"""Lookup of one result by folder, by identity, or by task, method and seed."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.core.registry import canonical
from benchmarks.core.spec import InputError
from benchmarks.store.result import Result
from benchmarks.store.store import IDENTITY_DIGITS, RESULT_FILE, Store, read_result, stores_in

SHORTEST = 4
"""Minimum number of digits of an identity to search by."""


def find_result(wanted: str, folder: Path) -> tuple[Path, Result]:
    """Find one result, and its folder.

    Args:
        wanted: the folder of a cell, the first digits of its identity, or "TASK/METHOD/SEED".
        folder: a store to search, or a folder with one store per preset.

    Raises:
        InputError: no result matches, or several do.
    """
    own = Path(wanted)
    if (own / RESULT_FILE).is_file():
        return own, read_result(own / RESULT_FILE)
    matches = [
        (path.parent, result)
        for store in stores_in(folder)
        for path in _candidates(store, wanted)
        if _matches(result := read_result(path), wanted)
    ]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise InputError(
            f"no result in {folder} matches {wanted!r}: give the folder of a cell, at least {SHORTEST} digits of its "
            "identity, or TASK/METHOD/SEED; --runs names another folder"
        )
    raise InputError(
        f"{wanted!r} matches {len(matches)} results: {', '.join(str(path) for path, _ in matches)}; "
        "--runs names another folder"
    )


def _candidates(store: Store, wanted: str) -> Iterator[Path]:
    """Result files that may match, judged by the names of their folders alone."""
    task, _, rest = wanted.partition("/")
    method = canonical(rest.partition("/")[0])
    for path in store.paths():
        folder = path.parent
        named = folder.name.startswith(wanted[:IDENTITY_DIGITS]) and len(wanted) >= SHORTEST
        if named or (folder.parent.parent.name, folder.parent.name) == (canonical(task), method):
            yield path


def _matches(result: Result, wanted: str) -> bool:
    return result.identity.startswith(wanted) or (wanted.count("/") == 2 and wanted.endswith(f"/{result.seed}"))
