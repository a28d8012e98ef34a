"""Renaming of damaged result files, so that their cells are run again."""

from contextlib import suppress
from pathlib import Path

from autolora.compute.runtime import Interrupted
from benchmarks.core.locks import held, is_held
from benchmarks.store.store import DamagedError, Store, read_result


def set_damaged_aside(store: Store) -> list[str]:
    """Rename the result files whose content is not what was written; returns one message per renamed file.

    Cells that another run holds a lock on are skipped, since that run is about to write their results.
    """
    return [message for path in store.paths() if not is_held(path.parent) and (message := _set_aside(path))]


def _set_aside(path: Path) -> str | None:
    with suppress(Interrupted), held(path.parent, _at_once):  # another run may have taken the cell since the look
        try:
            if path.exists():  # another run may have renamed it
                read_result(path)
        except DamagedError as error:
            aside = path.replace(path.with_suffix(".damaged"))
            return f"{error}: it was renamed to {aside.name}"
    return None


def _at_once() -> bool:
    """Do not wait for a lock."""
    return True
