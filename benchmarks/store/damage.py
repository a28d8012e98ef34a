"""Results that were damaged on the disk: set aside, so that their cells are run again."""

from pathlib import Path

from autolora.compute.runtime import never
from benchmarks.core.locks import held, is_held
from benchmarks.store.store import DamagedError, Store, read_result


def set_damaged_aside(store: Store) -> list[str]:
    """Rename the results that are not what was written; returns what is to be said of each.

    A cell that another run has just now is left to it: its result is about to be written anew.
    """
    return [said for path in store.paths() if not is_held(path.parent) and (said := _set_aside(path))]


def _set_aside(path: Path) -> str | None:
    with held(path.parent, never):
        try:
            read_result(path)
        except DamagedError as error:
            aside = path.replace(path.with_suffix(".damaged"))
            return f"{error}: done, it is {aside.name} now"
    return None
