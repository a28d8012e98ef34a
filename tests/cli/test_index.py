"""Commands and options: each command takes its own, says so on one screen, and what they resolve to can be seen."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from benchmarks.cli.command import Command
from benchmarks.cli.index import COMMANDS
from benchmarks.cli.main import main
from benchmarks.core.settings import load_settings, resolve
from tests.support import fakes

MOST_OPTIONS = 150
"""Of all commands together."""
SCREEN = (40, 80)
"""Lines and columns."""


def test_there_are_few_options() -> None:
    names = [option.name for command in COMMANDS for option in command.options if option.name.startswith("--")]
    assert len(COMMANDS) > 20
    assert len(names) <= MOST_OPTIONS


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_fits_a_screen_and_every_option_is_explained(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, columns = SCREEN
    monkeypatch.setenv("COLUMNS", str(columns))
    text = command.parser().format_help()
    assert len(text.splitlines()) <= lines
    assert max(map(len, text.splitlines())) <= columns
    assert all(option.help for option in command.options)
    assert callable(command.function)


@pytest.mark.parametrize("words", [["--help"], ["judge", "--help"], ["run", "--help"]])
def test_help_is_printed_and_no_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if words == ["run", "--help"]:
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 0
    else:
        assert main(words) == 0
    out = capsys.readouterr().out
    assert "usage:" in out
    assert ("judge claims" in out) == (words != ["run", "--help"])
    assert ("results show" in out) == (words == ["--help"])


@pytest.mark.parametrize("words", [[], ["judge"]])
def test_without_a_command_the_commands_are_shown_and_the_status_is_an_errors(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert "judge claims" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.split() == ["autolora-bench", metadata.version("autolora-bench")]


def test_an_option_is_not_shortened() -> None:
    assert main(["run", "--work", "2"]) == 2


def test_list_describes_tasks_methods_and_presets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["tasks", "methods", "presets"]
    assert found["tasks"]["rte"].startswith("Recognizing Textual Entailment")
    assert found["methods"]["full"] == "Full fine-tuning: every weight is trained"
    assert found["presets"]["released"].startswith("The authors' released code")
    assert all(text for kind in found.values() for text in kind.values())
    assert main(["list", "presets"]) == 0
    out = capsys.readouterr().out
    assert "released" in out
    assert "cola" not in out


def test_config_says_where_each_setting_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["config", "cola/autolora_sigmoid", "--preset", "small_paper_rate", "--set", "run.dropout=0.5"]
    assert main(words) == 0
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in capsys.readouterr().out.splitlines() if "." in line}
    where = "methods.autolora_sigmoid.search"
    assert rows["run.dropout"] == ["0.5", "command line"]
    assert rows["run.model"] == ['"minilm"', "preset small"]
    assert rows["run.curve"] == ["false", "default"]
    assert rows["run.split_by"] == ['"input"', "protocol clean"]
    assert rows[f"{where}.training.lr"] == ["0.0001", "preset small_paper_rate"]
    assert rows[f"{where}.parameterisation"] == ['"sigmoid"', "method autolora_sigmoid"]


def test_every_key_of_config_is_one_that_set_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "rte/autolora"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [re.split(" {2,}", line)[:2] for line in lines if line.startswith(("run.", "methods."))]
    assert len(rows) > 40
    settings = [word for key, value in rows if value != "null" for word in ("--set", f"{key}={value}")]
    assert main(["config", "rte/autolora", *settings]) == 0


def test_tune_writes_the_best_rates_into_a_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    preset, mine = fakes.write_preset(tmp_path), tmp_path / "mine.toml"
    with preset.open("a", encoding="utf-8") as file:
        file.write("\n[tuning.lr]\nsteady = [1e-3, 1e-2]\n")
    tune = ["tune", "--tasks", "coin", "--methods", "steady", "--runs", str(tmp_path / "runs"), "--write", str(mine)]
    assert main([*tune, "--preset", str(preset)]) == 0
    assert resolve(load_settings(str(mine)), "coin", "steady")["method"]["training"]["lr"] == 1e-2
    mine.write_text(mine.read_text("utf-8").replace("0.01", "9.0  # mine"), "utf-8")
    capsys.readouterr()
    assert main([*tune, "--preset", str(preset)]) == 0
    assert "lr = 0.01  # mine" in mine.read_text("utf-8")
    assert str(mine) in capsys.readouterr().out
