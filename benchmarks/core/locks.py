"""A cell is run by one process at a time, however many runs share a store. A lock ends with its owner, however."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from autolora.compute.runtime import Interrupted

FILE = ".lock"
POLL_SECONDS = 0.5


@contextmanager
def held(folder: Path, stop: Callable[[], bool]) -> Iterator[None]:
    """Keep a cell's folder from all other runs; waits while one of them has it.

    Raises:
        Interrupted: stop answered True before it was free.
    """
    lock = _lock(folder)
    while True:
        try:
            lock.acquire(timeout=POLL_SECONDS)
            break
        except Timeout:
            if stop():
                raise Interrupted(f"stopped while another run had {folder}") from None
    try:
        yield
    finally:
        # Removed while it is held: who waits for it sees that it has gone, and makes a new one.
        with suppress(OSError):  # Windows keeps a file that another process has open
            (folder / FILE).unlink()
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a run has the cell just now."""
    if not (folder / FILE).exists():
        return False
    try:
        with _lock(folder).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _lock(folder: Path) -> FileLock:
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / FILE, is_singleton=False)
