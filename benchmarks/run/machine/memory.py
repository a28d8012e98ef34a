"""Memory of the machine, and the peak of what runs now, without what ran before."""

import ctypes
import gc
import math
import os
import platform
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def memory_bytes() -> float:
    """Of the whole machine; infinite where it does not say."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", ()):
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def set_imports_apart() -> None:
    """Let no collection of garbage look at what has been imported: it stays, and looking at it takes a third of a second."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def return_freed_memory() -> None:
    """Give back what an earlier cell of this process needed and this one may not, where the system can."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak_memory(device: str) -> None:
    """Forget earlier peaks, where the system can."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_bytes(device: str) -> int | None:
    """The device's peak since the last reset: allocated by torch on a GPU, resident on a CPU; None if not known."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not STATUS.exists():
        return None
    fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
    return int(fields["VmHWM"].removesuffix("kB")) * 1024 if "VmHWM" in fields else None
