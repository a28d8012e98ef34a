"""What an installed package is: one command and two packages, no generic names, the published numbers inside."""

# ruff: noqa: S603  the commands are our own

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.processes import HANG_SECONDS

RUN = "import sys; sys.argv = ['autolora-bench', *sys.argv[1:]]; import autolora_bench; autolora_bench.main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run([*command, "--disable-pip-version-check"], check=True, timeout=HANG_SECONDS)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env=environment,
        cwd=installed.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )


def test_a_wheel_brings_no_generic_names(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"autolora", "autolora_bench"}
    assert (installed / "autolora" / "py.typed").exists()
    assert not list(installed.rglob("__pycache__"))


def test_an_installed_command_reads_its_own_published_numbers_and_results(installed: Path) -> None:
    audit = run(installed, "judge", "audit")
    assert (audit.returncode, audit.stderr) == (0, "")
    assert "What contradicts itself" in audit.stdout
    verdicts = run(installed, "judge", "verdicts", "--table", "4", "--reference", "small", "--format", "json")
    assert (verdicts.returncode, verdicts.stderr) == (0, "")
    shown = run(installed, "results", "show", "nothing", "--reference")
    assert shown.returncode == 2
    assert str(installed / "autolora_bench" / "results" / "reference") in shown.stderr


@pytest.mark.slow
def test_an_installed_command_trains_with_its_own_code(installed: Path, tmp_path: Path) -> None:
    arguments = ("--tasks", "rte", "--methods", "lora", "--max-steps", "2", "--workers", "1", "--runs", str(tmp_path))
    done = run(installed, "run", *arguments)
    assert done.returncode == 0, done.stderr
    assert "LoRA" in done.stdout


def test_a_missing_package_is_answered_with_what_to_install(installed: Path) -> None:
    blocked = RUN.replace("import autolora_bench;", "sys.modules['scipy'] = None; import autolora_bench;")
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", blocked, "judge", "claims"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 2
    assert 'pip install "autolora-bench[benchmark]"' in done.stderr


def test_a_module_finds_the_results_of_the_checkout_where_it_is_not_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    assert "\npresets" in done.stdout
