"""Peak memory of what runs now, without what ran before."""

from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


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
