"""Energy counters of the device, where it has them: RAPL of Intel and AMD processors on Linux, NVML of NVIDIA GPUs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

RAPL = Path("/sys/class/powercap")


class Watts:
    """Mean power while a block ran; None where the device has no readable energy counter."""

    def __init__(self, device: str) -> None:
        self.mean: float | None = None
        self._joules = _nvml(device) if torch.device(device).type == "cuda" else _rapl()

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Read the energy counter before and after the block."""
        began, before = time.monotonic(), self._joules and self._joules()
        yield
        if self._joules and before is not None:
            used = self._joules() - before
            self.mean = used / (time.monotonic() - began) if used >= 0 else None  # below 0: the counter wrapped around


def _rapl() -> Callable[[], float] | None:
    """Reads the joules of all processor packages."""
    counters = [path for path in RAPL.glob("*-rapl:?/energy_uj") if _readable(path)]
    return (lambda: sum(int(path.read_text(encoding="ascii")) for path in counters) / 1e6) if counters else None


def _readable(path: Path) -> bool:
    try:
        path.read_text(encoding="ascii")
    except OSError:  # many systems let only root read these files
        return False
    return True


def _nvml(device: str) -> Callable[[], float] | None:
    """Reads the joules of one GPU."""
    if not find_spec("pynvml"):
        return None
    pynvml = import_module("pynvml")
    pynvml.nvmlInit()
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
