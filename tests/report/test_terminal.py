import io
import re

import pytest

from benchmarks.cli.main import main
from benchmarks.report.terminal import SafeStream, coloured
from benchmarks.store.published import RESULTS

CODES = re.compile(r"\x1b\[\d+m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_verdicts_are_coloured_without_a_change_of_text() -> None:
    text = "CoLA  reproduced\nRTE   deviates\nMRPC  cannot be decided\nQQP   not comparable\n"
    shown = coloured(text)
    assert "\x1b[32mreproduced\x1b[0m" in shown
    assert "\x1b[31mdeviates\x1b[0m" in shown
    assert "\x1b[33mcannot be decided\x1b[0m" in shown
    assert CODES.sub("", shown) == text


def test_text_of_a_file_cannot_control_a_terminal_with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    SafeStream(terminal).write("\x1b[2J reproduced")
    assert terminal.getvalue() == "\\u001b[2J \x1b[32mreproduced\x1b[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_and_a_file_get_plain_text(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    file = io.StringIO()
    SafeStream(file).write("reproduced")
    assert file.getvalue() == "reproduced"
    monkeypatch.setenv(name, value)
    terminal = Terminal()
    SafeStream(terminal).write("reproduced")
    assert terminal.getvalue() == "reproduced"


def test_a_table_in_a_terminal_is_coloured_and_reads_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["report", "tables", "--runs", str(RESULTS / "reference" / "small")]) == 0
    plain = capsys.readouterr().out
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert main(["report", "tables", "--runs", str(RESULTS / "reference" / "small")]) == 0
    shown = terminal.getvalue()
    assert "\x1b[1mTable 1" in shown
    assert "\x1b[2mpaper 61.6 (Δ -34.2)\x1b[0m" in shown
    assert CODES.sub("", shown) == plain


def test_json_output_is_the_same_on_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "audit", "--format", "json"]) == 0
    short = capsys.readouterr().out
    assert main(["judge", "audit", "--format", "json"]) == 0
    assert capsys.readouterr().out == short
