"""Files that are never seen half-written."""

import os
from pathlib import Path

PARTIAL = ".{name}.{process}.partial"
"""Name of the file that is written first, beside the one whose place it takes."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file beside path, which then takes its place; folders are made.

    Raises:
        OSError: the disk is full, or the folder cannot be written; path is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(PARTIAL.format(name=path.name, process=os.getpid()))
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
