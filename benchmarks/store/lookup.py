"""Finds one result by what a person says of it."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.core.registry import canonical
from benchmarks.core.spec import InputError
from benchmarks.store.result import Result
from benchmarks.store.store import IDENTITY_DIGITS, RESULT_FILE, Store, read_result, stores_in

SHORTEST = 4
"""Digits of an identity that are enough to look for."""


def find_result(wanted: str, folder: Path) -> tuple[Path, Result]:
    """One result, and its folder.

    Args:
        wanted: the folder of a cell, the first digits of its identity, or "TASK/METHOD/SEED".
        folder: of results, or of one store per preset, to look in.

    Raises:
        InputError: there is none, or there are several.
    """
    own = Path(wanted)
    if (own / RESULT_FILE).is_file():
        return own, read_result(own / RESULT_FILE)
    found = [
        (path.parent, result)
        for store in stores_in(folder)
        for path in _candidates(store, wanted)
        if _is(result := read_result(path), wanted)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(
            f"no result in {folder} is {wanted!r}: give the folder of a cell, at least {SHORTEST} digits of its "
            "identity, or TASK/METHOD/SEED; --runs names another folder"
        )
    raise InputError(
        f"{wanted!r} is not one result but {len(found)}: {', '.join(str(path) for path, _ in found)}; "
        "--runs names another folder"
    )


def _candidates(store: Store, wanted: str) -> Iterator[Path]:
    """Files that may be it, by the names of their folders alone."""
    task, _, rest = wanted.partition("/")
    method = canonical(rest.partition("/")[0])
    for path in store.paths():
        folder = path.parent
        named = folder.name.startswith(wanted[:IDENTITY_DIGITS]) and len(wanted) >= SHORTEST
        if named or (folder.parent.parent.name, folder.parent.name) == (canonical(task), method):
            yield path


def _is(result: Result, wanted: str) -> bool:
    return result.identity.startswith(wanted) or (wanted.count("/") == 2 and wanted.endswith(f"/{result.seed}"))
