"""Texts of result files stay texts, in a terminal, in Markdown, in LaTeX, on a page and in a figure."""

import re
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.core.spec import Prediction
from benchmarks.report.figures.scores import cost_against_score
from benchmarks.report.tables.grid import Grid, write
from benchmarks.report.tables.markdown import escaped
from benchmarks.store.store import Store
from tests.support.fakes import make_environment, make_result

EVIL = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>`x`|[here](javascript:x) \\input{/etc/passwd}$\\frac\n% \u202e\x9b31m"
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A result and a failure, whose every text is hostile."""
    hostile = {
        "task_title": EVIL,
        "method_title": EVIL,
        "model_title": EVIL,
        "protocol": EVIL,
        "notes": (EVIL,),
        "partial": (EVIL,),
        "config": {"model": EVIL, EVIL: EVIL},
        "ranks": {EVIL: 1},
        "details": {EVIL: EVIL},
        "data_source": EVIL,
        "finished": EVIL,
        "metrics": {"validation": {"matthews": 50.0, EVIL: 1.0}, EVIL: {EVIL: 2.0}},
        "environment": make_environment(device_name=EVIL, python=EVIL, packages={"torch": EVIL, EVIL: EVIL}),
    }
    failed = {"status": "failed", "reason": EVIL, "seed": 1, "identity": "b" * 64}
    answers = {"validation": Prediction(labels=[0, 1], predictions=[0, 1], scores=[[0.0, 0.0]] * 2)}
    for result in (make_result(**hostile), make_result(**hostile | failed)):
        Store(folder=tmp_path / "runs").folder_of(result).write_result(result, answers)
    return tmp_path / "runs"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) in (0, 1)
    said = capsys.readouterr()
    assert not STEERING.search(said.out + said.err), said
    return said.out


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize("cell", ["cola/lora/0", "cola/lora/1"])
def test_a_cell_is_shown_harmlessly(form: str, cell: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "results", "show", cell, "--runs", str(store), "--format", form)
    assert "alert(1)" in out
    assert form != "markdown" or not re.search(r"(?<!\\)<script|\]\(|(?<!\\)`x", out)


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv", "json"])
@pytest.mark.parametrize(
    "command", [["report", "tables"], ["report", "protocols"], ["judge", "verdicts"]], ids=" ".join
)
def test_tables_are_printed_harmlessly(
    command: list[str], form: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(capsys, *command, "--runs", str(store), "--format", form)
    assert form != "markdown" or not re.search(r"(?<!\\)<script|\]\(", out)
    assert form != "latex" or not re.search(r"^[^%]*(?<!\\textbackslash\{\})\\input", out, re.MULTILINE)


def test_an_error_is_printed_harmlessly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "tables", "--runs", str(tmp_path / EVIL.replace("/", ""))]) == 2
    assert not STEERING.search(capsys.readouterr().err)


def test_no_form_of_a_table_lets_a_text_out_of_its_place() -> None:
    grid = Grid(title=EVIL, headers=[EVIL, "b"], rows=[[EVIL, "c"]], notes=[EVIL])
    latex = write([grid], "latex", 80)
    assert all(line.startswith("%") for line in latex.partition("\\begin")[0].splitlines())
    assert "\\input" not in latex.partition("\\begin")[2]
    markdown = write([grid], "markdown", 80)
    assert not re.search(r"(?<!\\)<(?!br>)|\]\(", markdown)
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [3, 3, 3]


def test_markdown_leaves_ordinary_texts_alone() -> None:
    assert escaped("59.0 ± 1.0\npaper 61.3 (Δ -2.3), [1, 2] & lora_grid*") == (
        "59.0 ± 1.0<br>paper 61.3 (Δ -2.3), [1, 2] & lora_grid*"
    )


def test_a_figure_draws_a_title_that_is_no_formula(tmp_path: Path) -> None:
    cost_against_score([make_result(method_title="$\\frac{$", task_title="$x^")], tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size > 1000


@pytest.mark.slow
def test_the_page_of_hostile_results_has_no_script_of_theirs(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(capsys, "report", "page", "--runs", str(store), "--to", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "alert(1)" in page
    assert page.count("<script") == 2
    assert "<script>alert" not in page
