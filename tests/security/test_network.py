"""No command opens a connection or asks for an address unless `hub` is asked for: sockets are blocked and recorded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

BLOCKED = """
import os, socket

def refuse(name):
    def blocked(*arguments, **options):
        local = isinstance(arguments[0], socket.socket) and arguments[0].family == socket.AF_UNIX
        if local or (name == "bind" and arguments[1][0] in ("127.0.0.1", "::1")):  # as urllib3 looks for IPv6
            return kept[name](*arguments, **options)
        with open(os.environ["ATTEMPTS"], "a") as file:
            file.write(f"{name}{arguments!r}\\n")
        raise OSError(f"{name} is blocked by a test")
    return blocked

kept = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto", "bind")}
for name in kept:
    setattr(socket.socket, name, refuse(name))
for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection"):
    setattr(socket, name, refuse(name))
"""
"""A `sitecustomize` module, which every Python below imports when it starts."""


def run(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """A Python program with sockets blocked in it and in all that it starts, and what they tried."""
    (folder / "sitecustomize.py").write_text(BLOCKED, "utf-8")
    attempts = folder / "attempts"
    attempts.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "ATTEMPTS": str(attempts)}
    environment |= {"HF_HOME": str(folder / "hub")}
    done = subprocess.run(  # noqa: S603  our own words
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done, attempts.read_text("utf-8").splitlines()


def test_the_block_is_there(tmp_path: Path) -> None:
    done, attempts = run(tmp_path, "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')")
    assert "blocked by a test" in done.stderr
    assert attempts


@pytest.mark.parametrize(
    "command",
    [
        "list",
        "judge audit",
        "report tables",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("judge claims", "judge verdicts")),
    ],
)
def test_what_reads_results_needs_no_network(command: str, tmp_path: Path) -> None:
    runs = ["--runs", str(ROOT / "results" / "reference" / "quick")] if command not in ("list", "judge audit") else []
    done, attempts = run(tmp_path, "-m", "benchmarks", *command.split(), *runs)
    assert (done.returncode, attempts) == (0, []), done.stderr


@pytest.mark.slow
def test_a_page_and_a_run_on_generated_rows_need_no_network(tmp_path: Path) -> None:
    cell = ["--tasks", "rte", "--methods", "lora", "--max-steps", "2", "--runs", "runs", "--quiet"]
    for command in (["run", *cell], ["report", "page", "--runs", "runs", "--to", "page.html"]):
        done, attempts = run(tmp_path, "-m", "benchmarks", *command)
        assert (done.returncode, attempts) == (0, []), done.stderr
    assert (tmp_path / "page.html").is_file()


@pytest.mark.slow
def test_a_run_that_asks_for_the_hub_is_seen_to(tmp_path: Path) -> None:
    cell = ["--tasks", "rte", "--methods", "lora", "--max-steps", "2", "--runs", "runs", "--data", "hub"]
    done, attempts = run(tmp_path, "-m", "benchmarks", "run", *cell)
    assert done.returncode == 2
    assert "cannot be loaded from the Hub" in done.stderr
    assert attempts
