"""Energy that the device reports, where it does: Intel's and AMD's RAPL counters on Linux, NVIDIA's through NVML."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

RAPL = Path("/sys/class/powercap")


class Watts:
    """Mean power while a block ran; None where nothing reports it."""

    def __init__(self, device: str) -> None:
        self.mean: float | None = None
        self._joules = _nvml(device) if torch.device(device).type == "cuda" else _rapl()

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Read the counters before and after."""
        began, before = time.monotonic(), self._joules and self._joules()
        yield
        if self._joules and before is not None:
            used = self._joules() - before
            self.mean = used / (time.monotonic() - began) if used >= 0 else None  # the counter began anew


def _rapl() -> Callable[[], float] | None:
    """Joules of all processor packages."""
    counters = [path for path in RAPL.glob("*-rapl:?/energy_uj") if _readable(path)]
    return (lambda: sum(int(path.read_text(encoding="ascii")) for path in counters) / 1e6) if counters else None


def _readable(path: Path) -> bool:
    try:
        path.read_text(encoding="ascii")
    except OSError:  # root only, on many systems
        return False
    return True


def _nvml(device: str) -> Callable[[], float] | None:
    if not find_spec("pynvml"):
        return None
    pynvml = import_module("pynvml")
    pynvml.nvmlInit()
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
