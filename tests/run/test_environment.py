"""Settings that depend on the machine, tested for many processors by replacing the fields of /proc/cpuinfo."""

import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from autolora.compute.onednn import has_onednn
from benchmarks.core.spec import InputError
from benchmarks.run.machine import environment
from benchmarks.run.machine.environment import resolve_device, resolve_precision, usable_cores
from benchmarks.store.result import Processor

AVX2, AVX512, AVX512_BF16, AMX, ARM, ARM_BF16 = (
    {"flags": "fpu sse4_2 avx avx2 fma"},
    {"flags": "fpu avx2 avx512f avx512_vnni"},
    {"flags": "fpu avx2 avx512f avx512_bf16"},
    {"flags": "fpu avx2 avx512f amx_tile amx_bf16"},
    {"flags": "fp asimd"},
    {"flags": "fp asimd bf16 i8mm"},
)


@pytest.mark.parametrize(
    ("processor", "precision"),
    [
        (AVX2, "fp32"),
        (AVX512, "fp32"),
        (AVX512_BF16, "bf16"),
        (AMX, "bf16"),
        (ARM, "fp32"),
        (ARM_BF16, "bf16"),
        ({}, "fp32"),  # not Linux
    ],
)
def test_the_automatic_precision_is_bfloat16_where_the_processor_multiplies_in_it(
    processor: dict[str, str], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_cpu_info", lambda: processor)
    assert resolve_precision("auto", "cpu") == precision


@pytest.mark.parametrize("processor", [AVX2, AVX512_BF16])
@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_a_precision_that_is_asked_for_is_taken_on_any_processor(
    processor: dict[str, str], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_cpu_info", lambda: processor)
    assert resolve_precision(asked, "cpu") == asked


@pytest.mark.parametrize(("has", "precision"), [(True, "bf16"), (False, "fp32")])
def test_on_a_gpu_the_automatic_precision_is_what_it_computes_without_emulation(
    has: bool,  # noqa: FBT001
    precision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has or including_emulation)
    assert resolve_precision("auto", "cuda:1") == precision


@pytest.mark.parametrize(("has", "device"), [(True, "cuda"), (False, "cpu")])
def test_the_automatic_device_is_a_gpu_where_there_is_one(
    has: bool,  # noqa: FBT001
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has)
    assert resolve_device("auto") == device


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="take --device auto"):
        resolve_device("abacus")


@pytest.mark.parametrize(
    ("processors", "info", "quota", "variable", "cores"),
    [
        (2, {"siblings": "2", "cpu cores": "2"}, float("inf"), None, 2),
        (16, {"siblings": "16", "cpu cores": "8"}, float("inf"), None, 8),  # two threads a core
        (1, {"siblings": "16", "cpu cores": "8"}, float("inf"), None, 1),  # by affinity half a core, which is one
        (16, {}, 3, None, 3),  # by the container's quota, on a processor without these fields
        (2, {}, float("inf"), "7", 7),
        (2, {}, float("inf"), "many", 2),
    ],
)
def test_usable_cores_are_physical_ones_within_affinity_and_quota(  # noqa: PLR0917  a table of cases
    processors: int,
    info: dict[str, str],
    quota: float,
    variable: str | None,
    cores: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    monkeypatch.setattr(environment, "_cpu_info", lambda: info)
    monkeypatch.setattr(environment, "_quota", lambda: quota)
    assert usable_cores() == cores


@pytest.mark.parametrize(
    ("info", "model"),
    [
        ({"vendor_id": "AuthenticAMD", "cpu family": "25", "model": "1"}, "AuthenticAMD family 25 model 1"),
        ({"CPU implementer": "0x41", "CPU part": "0xd40"}, "implementer 0x41 part 0xd40"),
        ({}, None),  # not Linux
    ],
)
def test_a_processor_is_described_by_what_moves_bits(
    info: dict[str, str], model: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_cpu_info", lambda: info)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.__config__, "show", lambda: "BLAS_INFO=open, BUILD_TYPE=Release")
    found = environment.describe("cpu", "fp32", onednn=False).processor
    assert found == Processor(
        capability="AVX512", blas="open", onednn=torch.backends.mkldnn.is_available(), model=model
    )


@pytest.mark.skipif("avx2" not in environment._cpu_info().get("flags", "").split(), reason="no AVX2 to do without")
@pytest.mark.parametrize("capability", ["avx2", "default"])
def test_kernels_for_an_older_processor_change_no_automatic_choice(
    capability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ATEN_CPU_CAPABILITY makes torch use its own kernels (elementwise ones and reductions) for an older processor.

    It does not affect matrix products, for which MKL and oneDNN detect the processor, nor the detection of bfloat16. So
    the automatic choices stay the same; testing them in full takes a machine with such a processor.
    """
    chosen = resolve_precision("auto", "cpu")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", capability)
    command = [sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  fixed arguments
    assert done.stdout.strip() == capability.upper()
    assert resolve_precision("auto", "cpu") == chosen


@pytest.mark.skipif(not has_onednn("cpu"), reason="this build of torch has no oneDNN")
@pytest.mark.parametrize(
    ("setting", "capability", "precision", "onednn"),
    [
        ("auto", "AVX512", "fp32", True),
        ("auto", "AVX2", "fp32", False),  # oneDNN is slower there
        ("auto", "DEFAULT", "fp32", False),
        ("auto", "AVX512", "bf16", False),  # torch itself takes oneDNN
        (True, "AVX2", "fp32", True),
        (True, "AVX512", "bf16", False),
        (False, "AVX512", "fp32", False),
    ],
)
def test_onednn_is_chosen_by_instruction_set_and_precision(
    setting: Any, capability: str, precision: str, onednn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert environment.resolve_onednn("cpu", precision, setting=setting) is onednn
    assert not environment.resolve_onednn("meta", precision, setting=setting)
