"""Locks on cell folders: one run at a time computes a cell. A lock is released when its process ends for any reason."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from autolora.compute.runtime import Interrupted

FILE = ".lock"
POLL_SECONDS = 0.5


@contextmanager
def held(folder: Path, stop: Callable[[], bool]) -> Iterator[None]:
    """Lock a cell's folder against all other runs; waits while another run holds the lock.

    Raises:
        Interrupted: `stop()` returned True before the lock was free.
    """
    lock = _lock(folder)
    while True:
        try:
            lock.acquire(timeout=POLL_SECONDS)
            break
        except Timeout:
            if stop():
                raise Interrupted(f"stopped while waiting for another run, which holds the lock on {folder}") from None
    try:
        yield
    finally:
        # The file is removed while the lock is held: a waiting process notices that and creates a new file.
        with suppress(OSError):  # Windows does not delete a file that another process has open
            (folder / FILE).unlink()
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a run holds the lock on the cell at the moment."""
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
