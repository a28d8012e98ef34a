"""Describes and configures the hardware and software properties that affect results."""

import ctypes
import math
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch

from autolora.compute.onednn import has_onednn, is_onednn_faster
from autolora.compute.process_group import Team
from benchmarks.core.spec import InputError
from benchmarks.store.result import Environment, Processor

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
NUMBERS = {
    "vendor_id": "",
    "cpu family": "family",
    "model": "model",
    "CPU implementer": "implementer",
    "CPU part": "part",
}
"""Field of /proc/cpuinfo that identifies a processor -> its title; x86 has the first three, ARM the others."""
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
COMMIT_VARIABLE = "AUTOLORA_BENCH_COMMIT"
"""Environment variable with the commit, where there is no checkout; the suffix "-dirty" marks uncommitted changes."""


def configure_process(threads: int) -> None:
    """Make torch deterministic, and set the number of threads that it uses in this process."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # filling takes time, and no code reads uninitialised memory
    torch.set_num_threads(threads)
    _keep_freed_memory()


def describe(device: str, precision: str, *, onednn: bool) -> Environment:
    """The environment of a cell that runs on this device at this precision, with linear layers by oneDNN or not."""
    commit, clean = code_version()
    return Environment(
        python=platform.python_version(),
        packages={"torch": torch.__version__}
        | {name: installed for name in PACKAGES[1:] if (installed := _version(name))},
        device=torch.device(device).type,
        device_name=torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else _cpu_name(),
        processor=_processor(),
        threads=torch.get_num_threads(),
        processes=Team.of_this_process().size,
        precision=precision,
        onednn=onednn,
        commit=commit,
        clean=clean,
    )


def resolve_device(setting: str) -> str:
    """The torch device of a setting; "auto" is cuda if available, else cpu. Raises InputError: the device is missing."""
    if setting == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=setting)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {setting!r} cannot be used: {str(error).splitlines()[0]}; take --device auto"
        ) from error
    return setting


def resolve_precision(setting: str, device: str) -> str:
    """The precision of a setting, fp32 or bf16; "auto" is bf16 where the device multiplies bf16 matrices in hardware."""
    if setting != "auto":
        return setting
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if {"avx512_bf16", "amx_bf16", "bf16"} & set(_cpu_info().get("flags", "").split()) else "fp32"


def resolve_onednn(device: str, precision: str, *, setting: bool | Literal["auto"]) -> bool:
    """Whether linear layers are computed by oneDNN: where it is possible, and wanted or, for "auto", faster."""
    if setting == "auto":
        return is_onednn_faster(device, precision)
    return setting and precision == "fp32" and has_onednn(device)


def usable_cores() -> int:
    """Number of physical cores that this process may use, by OMP_NUM_THREADS, or by CPU affinity and container quota."""
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    info = _cpu_info()
    threads_per_core = max(1, int(info.get("siblings", 1)) // int(info.get("cpu cores", 1)))
    return int(max(1, min(processors // threads_per_core, _quota())))


def code_version() -> tuple[str | None, bool | None]:
    """The git commit of this project, and whether the code has no uncommitted changes outside of results/."""
    if not (ROOT / ".git").exists():
        named = os.environ.get(COMMIT_VARIABLE)
        return (named.removesuffix("-dirty"), not named.endswith("-dirty")) if named else (None, None)
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", ":!results")
    return commit, None if changes is None else not changes


def _git(*arguments: str) -> str | None:
    try:
        completed = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607  fixed arguments
    except (OSError, subprocess.CalledProcessError):
        return None
    return completed.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


def _processor() -> Processor:
    """What this process may use of its processor; ATEN_CPU_CAPABILITY limits torch's own kernels."""
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    info = _cpu_info()
    return Processor(
        capability=torch.backends.cpu.get_cpu_capability(),
        blas=blas and blas[1],
        onednn=bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),  # type: ignore[no-untyped-call]
        model=" ".join(f"{title} {info[name]}".strip() for name, title in NUMBERS.items() if name in info) or None,
    )


def _cpu_info() -> dict[str, str]:
    """Fields of the first processor in Linux's /proc/cpuinfo; empty on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip().replace("Features", "flags"): value.strip() for name, _, value in pairs}


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory, as every training step allocates blocks of the same sizes again.

    With fresh pages a full fine-tuning step of MiniLM takes 109 ms instead of 84 ms (float32, batches of 8 x 12 tokens,
    two cores of an AMD EPYC).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _quota() -> float:
    """Number of processors that the container's cgroup quota allows; infinite without a quota."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
    except OSError:
        return math.inf
    return math.inf if quota == "max" else math.ceil(int(quota) / int(period))
