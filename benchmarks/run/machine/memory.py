"""Memory of the machine, and peak memory of the current cell without that of earlier cells."""

import ctypes
import gc
import math
import os
import platform
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def memory_bytes() -> float:
    """Memory of the whole machine; infinite where the system does not report it."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", ()):
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def freeze_imported_objects() -> None:
    """Exclude imported objects from garbage collection: they are never freed, and traversing them takes 0.3 seconds."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def return_freed_memory() -> None:
    """Return the freed memory of earlier cells of this process to the system, where glibc allows it."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak_memory(device: str) -> None:
    """Reset the peak memory, where the system supports it."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_bytes(device: str) -> int | None:
    """Peak memory since the last reset: allocated by torch on a GPU, resident on a CPU; None if unknown."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not STATUS.exists():
        return None
    fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
    return int(fields["VmHWM"].removesuffix("kB")) * 1024 if "VmHWM" in fields else None
