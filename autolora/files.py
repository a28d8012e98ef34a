"""Atomic writing of files: readers never see a partly written file."""

import os
from pathlib import Path

PARTIAL = ".{name}.{process}.partial"
"""Name of the temporary file, in the folder of the file that it replaces."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write content to a temporary file, then rename it to path; missing folders are created.

    Raises:
        OSError: the disk is full, or the folder cannot be written; the file at path is unchanged.
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
