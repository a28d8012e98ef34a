"""What README and docs show is run."""

import re
import runpy
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from benchmarks.cli.index import find
from benchmarks.cli.main import main
from tests.support.paths import ROOT
from tests.support.tiny import build

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES = "\n".join([README, *DOCS.values()])
MEASURED = re.findall(r"<!-- python -m benchmarks ((?:report|list) .*?) -->\n(.*?)<!-- end -->", PAGES, re.DOTALL)
COMMANDS = re.findall(r"^python -m benchmarks (.*?)(?: {2,}#.*| \\\\)?$", PAGES, re.MULTILINE)
MODEL = "FacebookAI/roberta-base"


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A tiny encoder with a tokenizer, in place of RoBERTa."""
    build().base_model.save_pretrained(tmp_path)
    words = {word: index for index, word in enumerate(("[PAD]", "[UNK]", "a", "good", "bad", "film"))}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(tmp_path)  # noqa: S106
    return tmp_path


def test_the_library_s_example_runs(model_folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert MODEL in code
    names: dict[str, object] = {}
    exec(code.replace(MODEL, str(model_folder)), names)  # noqa: S102
    model = names["model"]
    assert isinstance(model, PeftModel)
    ranks = names["found"].ranks  # type: ignore[attr-defined]
    assert len(ranks) == 4
    assert all(1 <= rank <= 8 for rank in ranks.values())
    assert model(input_ids=torch.tensor([[2, 3, 5]])).logits.shape == (1, 2)


@pytest.mark.parametrize(("command", "shown"), MEASURED, ids=[command for command, _ in MEASURED])
def test_a_measured_table_is_what_its_command_prints(
    command: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(command.split()) == 0
    assert shown == capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}" for name in DOCS)])
def test_every_file_that_a_page_points_to_is_there(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    files = [link for link in links if not link.startswith("http")]
    assert page != "README.md" or len(files) > 5
    assert not [link for link in files if not (path.parent / link).exists()]


def test_every_command_of_the_pages_names_a_session_or_a_subcommand_that_exists() -> None:
    sessions = set(re.findall(r"nox -s (\w+)", PAGES))
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert sessions
    assert all(f"def {session}(" in noxfile for session in sessions)
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        assert parsed(command.split())


def parsed(words: Sequence[str]) -> Namespace:
    command, options = find(words)
    assert command
    return command.parse(options)


SESSIONS = sorted(
    {" ".join(found) for found in re.findall(r"nox -s (\w+)(?: -- ([^`#|\n]*[^`#|\n\s]))?", PAGES)} - {"pip_audit "}
)
"""Sessions with their arguments; one of them reads what a program says that asks a server."""


@pytest.mark.parametrize("command", SESSIONS)
def test_a_session_of_the_pages_asks_the_benchmark_for_what_it_understands(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, *arguments = command.split()
    asked: list[tuple[str, ...]] = []
    session = SimpleNamespace(posargs=arguments, log=print, run=lambda *words, **_: asked.append(words))
    getattr(noxfile(monkeypatch), name)(session)
    assert asked
    for words in asked:
        if "benchmarks" in words:
            assert parsed(words[words.index("benchmarks") + 1 :])


def noxfile(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The sessions, by a nox that only hands them back, and installs nothing."""
    nox = SimpleNamespace(options=SimpleNamespace(), session=lambda function: function, Session=Any)
    monkeypatch.setitem(sys.modules, "nox", nox)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "nox.command", SimpleNamespace(CommandFailed=RuntimeError))  # type: ignore[arg-type]
    names = runpy.run_path(str(ROOT / "noxfile.py"))
    names["install"].__globals__["install"] = lambda _: None
    return SimpleNamespace(**names)


OF_RUNS = "report tables --format markdown"
"""Reads what a run before it has left."""
READ_ONLY = ("config", "judge", "list", "report", "results show")
READING = sorted(
    {
        command
        for command in COMMANDS
        if command.startswith(READ_ONLY) and "--runs runs" not in command and command != OF_RUNS
    }
)


@pytest.mark.slow
@pytest.mark.parametrize("command", READING)
def test_a_command_that_only_reads_does_what_the_pages_say(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    to = ["--to", str(tmp_path / "made")] if command.startswith(("report figures", "report page")) else []
    assert main([*command.split(), *to]) == 0
    assert capsys.readouterr().out
