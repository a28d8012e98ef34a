"""Processes that tests start: forked, so that they have the fakes and imports of the test, and begin at once."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

HANG_SECONDS = 600
"""Whoever takes longer hangs. Nothing else is said about time: a machine may be slow, and busy with other work."""


def forked(work: Callable[[], int | None], errors: Path = Path(os.devnull)) -> BaseProcess:
    """Begin work in a process, and a process group, of its own; its exit status is what work returns.

    Args:
        work: what the process does.
        errors: the file that gets its standard error.
    """

    def run() -> None:
        os.setsid()
        with errors.open("w", encoding="utf-8") as sys.stderr:
            sys.exit(work())

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    """The exit status of a process, once it has ended."""
    process.join(HANG_SECONDS)
    return process.exitcode


def comes_true(condition: Callable[[], object]) -> bool:
    """Wait for a condition; False where it hangs."""
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_gone(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
