"""What of the machine and the software decides the numbers, found out and recorded."""

import ctypes
import math
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from autolora.compute.process_group import Team
from benchmarks.core.spec import InputError
from benchmarks.store.result import Environment

ROOT = Path(__file__).parents[3]
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "accelerate",
    "datasets",
    "evaluate",
    "numpy",
    "scipy",
    "scikit-learn",
)
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
COMMIT_VARIABLE = "AUTOLORA_BENCH_COMMIT"
"""Names the commit where there is no checkout; one ending in "-dirty" is not clean."""


def use_machine(threads: int) -> None:
    """Let torch compute the same bits every time, on so many threads of this process."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time, and nothing reads it
    torch.set_num_threads(threads)
    _keep_freed_memory()


def describe(device: str, precision: str) -> Environment:
    """The environment of a cell that computes on this device in this precision."""
    commit, clean = code_version()
    return Environment(
        python=platform.python_version(),
        packages={"torch": torch.__version__} | {name: found for name in PACKAGES[1:] if (found := _version(name))},
        device=torch.device(device).type,
        device_name=torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else _cpu_name(),
        threads=torch.get_num_threads(),
        processes=Team.of_this_process().size,
        precision=precision,
        commit=commit,
        clean=clean,
    )


def resolve_device(wanted: str) -> str:
    """A torch device for a setting; "auto" is cuda where there is one. Raises InputError: it is not there."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {wanted!r} cannot be used: {str(error).splitlines()[0]}; take --device auto"
        ) from error
    return wanted


def resolve_precision(wanted: str, device: str) -> str:
    """fp32 or bf16 for a setting; "auto" is bf16 where the device multiplies bf16 matrices in hardware."""
    if wanted != "auto":
        return wanted
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if {"avx512_bf16", "amx_bf16", "bf16"} & set(_cpu_info().get("flags", "").split()) else "fp32"


def usable_cores() -> int:
    """Physical cores that this process may use; OMP_NUM_THREADS, affinity and a container's quota count."""
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    info = _cpu_info()
    threads_per_core = max(1, int(info.get("siblings", 1)) // int(info.get("cpu cores", 1)))
    return int(max(1, min(processors // threads_per_core, _quota())))


def code_version() -> tuple[str | None, bool | None]:
    """The git commit of this project, and whether the code is as committed (results/ left out)."""
    if not (ROOT / ".git").exists():
        named = os.environ.get(COMMIT_VARIABLE)
        return (named.removesuffix("-dirty"), not named.endswith("-dirty")) if named else (None, None)
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", ":!results")
    return commit, None if changes is None else not changes


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607  fixed words
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


def _cpu_info() -> dict[str, str]:
    """What Linux says of the first processor."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip().replace("Features", "flags"): value.strip() for name, _, value in pairs}


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed: every step takes the same blocks again.

    Fresh pages cost a full fine-tuning step of MiniLM a fifth of its time: 109 ms against 84 ms, float32, batches of
    8 x 12 tokens, two cores of an AMD EPYC.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _quota() -> float:
    """Processors that the container's quota allows."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
    except OSError:
        return math.inf
    return math.inf if quota == "max" else math.ceil(int(quota) / int(period))
