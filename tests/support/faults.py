"""What befalls the cells of a soak: one in twenty fails, each in one of five ways."""

import os
import signal
from pathlib import Path

from autolora.compute.runtime import NonFiniteLossError

CELLS = 2000
FAILING = {3: "diverges", 23: "runs out of memory", 43: "raises", 63: "is killed once", 83: "is killed always"}
"""Seed modulo 100 -> what happens to the cell: one in twenty."""
LAST_KILL = 1000
"""From this seed on cells that would be killed raise instead: a process has to live to be seen to grow."""


def fate(seed: int, *, may_be_killed: bool) -> str:
    """What happens to the cell; nothing in most. A run in one process cannot be killed and go on."""
    what = FAILING.get(seed % 100, "")
    spared = not may_be_killed or seed >= LAST_KILL
    return "raises" if "killed" in what and spared else what


def misbehave(what: str, mark: Path) -> None:
    match what:
        case "diverges":
            raise NonFiniteLossError("train: the loss is nan at step 2 of 3; try a lower lr")
        case "runs out of memory":
            raise MemoryError("cannot allocate memory")
        case "raises":
            raise ValueError("the search needs a component")
        case "is killed always":
            os.kill(os.getpid(), signal.SIGKILL)
        case "is killed once" if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
