"""The commands of README and docs that plan, train or measure, with everything made small but what they are about."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.index import find
from benchmarks.cli.main import main
from benchmarks.run.machine import environment
from tests.support.paths import ROOT
from tests.support.tiny import save_encoder
from tests.test_readme import COMMANDS, OF_RUNS, READING

pytestmark = pytest.mark.slow
COMPUTING = sorted({*COMMANDS} - {*READING} | {OF_RUNS})
TRAINING = ("run", "tune", "measure determinism", "measure engines")
OTHERS = ("check", "plan", "measure cost", "measure speed", "results merge", "results promote", "results repeat")
COST = "--tasks sst2 --methods lora,full --steps 1 --warmup 0 --rounds 1 --set training.batch_size=2 --set run.max_length=16"
NEW = 2
"""Exit status of `check` where the reference lacks what was run."""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Options that make a training one of two steps on generated data, on a tiny encoder; the folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(environment, "code_version", lambda: ("c" * 40, True))  # what is promoted is committed
    Path("results").symlink_to(ROOT / "results")
    model = save_encoder(tmp_path / "model")
    settings = {"run.data": "embedded", "run.model": model, "run.max_length": 32, "run.seeds": [0]}
    settings |= {"training.max_steps": 2, "training.batch_size": 4}
    return " ".join(f"--set {key}={value}" for key, value in settings.items())


def test_there_are_commands_to_run() -> None:
    assert {name_of(command) for command in COMPUTING} >= {*TRAINING, *OTHERS}


def in_bfloat16(command: str) -> Any:
    """The command as a case; the engines are measured in bfloat16, too."""
    marks = [pytest.mark.bfloat16] if command.startswith("measure engines") else []
    return pytest.param(command, marks=marks)


@pytest.mark.parametrize("command", map(in_bfloat16, COMPUTING))
def test_a_command_that_computes_does_what_the_pages_say(
    command: str, small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = name_of(command)
    if "--ray" in command and not find_spec("ray"):
        pytest.skip("Ray is not installed")
    prepare(name, command, small)
    capsys.readouterr()
    assert main(shrunk(name, command, small).split()) == (NEW if name == "check" else 0)
    assert capsys.readouterr().out


def name_of(command: str) -> str:
    found, _ = find(command.split())
    assert found
    return found.name


def prepare(name: str, command: str, small: str) -> None:
    """Run what the command starts from."""
    run = f"run {small} --tasks rte --methods lora"
    if name in ("results promote", "report tables", "results repeat", "check"):
        preset = re.search("--preset small", command)
        assert main([*run.split(), *(preset.group().split() if preset else ())]) == 0
    if name == "results merge":
        for shard in (1, 2):
            options = f"--methods lora,full --shard {shard}/2 --runs runs/shard-{shard}"
            assert main([*run.split(), *options.split()]) == 0


def shrunk(name: str, command: str, small: str) -> str:
    """The command with the options that make it small, those that name its own sizes left to it."""
    if name in TRAINING:
        tasks = "" if "--tasks" in command else "--tasks rte"
        return f"{command.replace('--ray auto', '--ray local')} {small} {tasks}"
    model = "decoder" if "--table 2" in command else "minilm"
    changes = {
        "measure cost": f"--data embedded {COST}",
        "measure speed": "--steps 1 --rounds 1",
        "plan": f"--data embedded --model {model}",
        "results repeat": "--to again",
        "results promote": "--to promoted",
    }
    return f"{command.replace('--reference quick', '--runs runs')} {changes.get(name, '')}"
