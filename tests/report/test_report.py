# ruff: noqa: S603  the commands are our own

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.report.tables.score_grid import render
from benchmarks.report.tables.score_table import ScoreTable, score_tables
from benchmarks.store.published import published_figure, published_table
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.fakes import make_environment, make_result, scored

PUBLISHED = published_table(1)
BLOCKER = "import sys; sys.modules['torch'] = sys.modules['transformers'] = None; "


def table(*results: Result) -> ScoreTable:
    (made,) = score_tables(results, PUBLISHED)
    return made


def text(*results: Result, width: int = 120) -> str:
    return render([table(*results)], "text", width)


def test_the_published_rows_are_the_papers() -> None:
    assert [row.title for row in PUBLISHED.rows] == ["Full FT", "Adapter", "LoRA", "AdaLoRA", "AutoLoRA"]
    sums = {row.method: round(sum(row.scores.values()), 1) for row in PUBLISHED.rows}
    assert sums == {"full": 683.6, "adapter": 670.4, "lora": 678.9, "adalora": 678.6, "autolora": 683.6}


def test_a_cell_shows_the_measured_score_the_published_one_and_the_difference() -> None:
    shown = text(scored(50.0))
    assert "50.0" in shown
    assert "paper 59.0 (Δ -9.0)" in shown


def test_several_seeds_are_a_mean_with_its_spread() -> None:
    seeds = [scored(score, seed=seed, identity=f"{seed}") for seed, score in enumerate((58.0, 60.0, 62.0))]
    shown = text(*seeds)
    assert "60.0 ± 2.0 (n=3)" in shown
    assert "(Δ +1.0)" in shown


def test_results_of_different_settings_are_never_averaged() -> None:
    old = scored(10.0, configuration="old", finished="2025-01-01T00:00:00+00:00")
    new = scored(50.0, configuration="new")
    shown = table(old, new)
    assert shown.rows[0].cells["cola"].measured == 50.0
    assert any("never averaged; the newest: cola/lora" in remark for remark in shown.remarks)


def test_results_of_different_environments_are_never_averaged() -> None:
    other = scored(10.0, environment=make_environment(threads=8), finished="2025-01-01T00:00:00+00:00")
    assert table(other, scored(50.0)).rows[0].cells["cola"].measured == 50.0


def test_presets_backbones_and_kinds_of_data_have_tables_of_their_own() -> None:
    results = [scored(1.0), scored(2.0, preset="small"), scored(3.0, data_source="hub nyu-mll/glue@x")]
    assert len(score_tables(results, PUBLISHED)) == 3


def test_full_finetuning_comes_first_and_unknown_methods_last() -> None:
    methods = ("autolora", "own", "full", "lora")
    made = table(*(scored(1.0, method=method, method_title=method) for method in methods))
    assert [row.method for row in made.rows] == ["full", "lora", "autolora", "own"]
    assert made.rows[-1].cells["cola"].published is None


def test_a_cell_that_was_not_run_is_a_dash_and_a_failed_cell_is_named() -> None:
    failed = make_result(status="failed", reason="NonFiniteLossError: nan", task="rte", task_title="RTE", metrics={})
    shown = text(scored(50.0), failed, scored(1.0, method="full", method_title="Full FT"))
    assert "failed\n" in shown.replace(" ", "")
    assert "Failed: RTE, LoRA, seed 0: NonFiniteLossError: nan" in shown
    assert " -" in shown


def test_an_average_needs_every_task_of_the_paper() -> None:
    tasks = list(PUBLISHED.columns)
    complete = [scored(80.0 + i, task=task, task_title=task) for i, task in enumerate(tasks)]
    extra = scored(0.0, task="wnli", task_title="WNLI")
    row = table(*complete, extra).rows[0]
    assert row.average
    assert (row.average.measured, row.average.published) == (83.5, 84.9)
    assert table(*complete[:-1]).rows[0].average is None
    assert list(table(extra, *complete).columns) == [*tasks, "wnli"]


def test_the_table_says_why_its_numbers_do_not_compare() -> None:
    sentence = table(scored(50.0, preset="paper")).remarks[0]
    assert sentence.startswith("Not comparable with the published numbers: the backbone here is MiniLM-L6 (22.7M")
    assert "the tasks here are generated" in sentence


def test_the_papers_backbone_on_real_data_compares() -> None:
    result = scored(
        60.0, config={"model": "FacebookAI/roberta-base"}, model_title="RoBERTa-base", data_source="hub nyu-mll/glue@x"
    )
    assert table(result).remarks[0].startswith("The backbone and the data set are those of the published numbers")
    random = scored(0.0, config={"model": "random:roberta-base"}, data_source="hub nyu-mll/glue@x")
    assert table(random).remarks[0].startswith("Not comparable")


def test_samples_notes_and_environments_are_listed_below_the_table() -> None:
    result = scored(50.0, partial=("train",), notes=("train has 9 rows; the paper says 10.",), data_source="tsv glue")
    shown = text(result)
    assert "CoLA: only a sample of train." in shown
    assert "CoLA: train has 9 rows; the paper says 10." in shown
    assert "Some CPU, threads per cell: 2, fp32, torch 2.13.0, commit cccccccccccc." in shown


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_gets_blocks_of_columns(width: int) -> None:
    results = [scored(80.0, task=task, task_title=title) for task, title in PUBLISHED.columns.items()]
    shown = text(*results, width=width)
    assert max(map(len, shown.splitlines()[1:])) <= width
    assert all(title in shown for title in PUBLISHED.columns.values())
    assert shown.count("Method") == {60: 5, 80: 4, 120: 3}[width] or shown.count("Method") > 1


def test_markdown_and_json_hold_the_same_numbers() -> None:
    made = [table(scored(50.0))]
    assert "50.0<br>paper 59.0 (Δ -9.0)" in render(made, "markdown", 120)
    cell = json.loads(render(made, "json", 120))[0]["rows"][0]["cells"]["cola"]
    assert (cell["measured"], cell["published"], cell["difference"]) == (50.0, 59.0, -9.0)


@pytest.mark.parametrize("command", ["report tables", "list", "results promote"])
def test_reading_results_needs_no_torch(tmp_path: Path, command: str) -> None:
    folder = Store(folder=tmp_path).cell("cola", "lora", "a" * 64, "b" * 64)
    folder.write_result(make_result(environment=make_environment(clean=False)), {})
    options = [] if command == "list" else ["--runs", str(tmp_path)]
    script = BLOCKER + "from benchmarks.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, *command.split(), *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == (1 if command == "results promote" else 0), done.stderr
    assert (
        "left out" if command == "results promote" else "cola" if command == "list" else "CoLA"
    ) in done.stdout + done.stderr


def test_a_table_shows_its_own_methods_and_unknown_ones_but_none_of_other_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(folder=tmp_path)
    for method, title in (
        ("lora", "LoRA"),
        ("autolora_sigmoid", "sigmoid"),
        ("lora_random_ranks", "R"),
        ("mine", "Mine"),
    ):
        store.cell("cola", method, "a", "b").write_result(scored(50.0, method=method, method_title=title), {})

    def rows(*options: str) -> set[str]:
        assert main(["report", "tables", "--runs", str(tmp_path), "--format", "json", *options]) == 0
        (table,) = json.loads(capsys.readouterr().out)
        return {row["method"] for row in table["rows"]}

    assert rows() == {"lora", "mine"}
    assert rows("--table", "4") == {"autolora_sigmoid", "mine"}
    assert rows("--methods", "lora,autolora_sigmoid") == {"lora", "autolora_sigmoid"}


def test_a_column_can_be_one_of_several_metrics_of_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"entity_f1": 72.5, "entity_precision": 69.5, "entity_recall": 75.8}
    tagging = make_result(
        task="bionlp2004", metric="entity_f1", split="test", metrics={"test": scores}, rows={"train": 8, "test": 100}
    )
    (table,) = score_tables([tagging], published_table(3))
    (row,) = table.rows
    assert list(table.columns.values()) == ["Precision", "F1"]
    assert {column: cell.measured for column, cell in row.cells.items()} == {"precision": 69.5, "f1": 72.5}
    assert row.cells["f1"].published == 72.2
    assert row.average is None
    store = Store(folder=tmp_path)
    for result in (tagging, make_result()):
        store.cell(result.task, "lora", result.task.ljust(64, "0"), result.environment.key).write_result(result, {})
    for number, shown, hidden in ((1, "CoLA", "Precision"), (3, "Precision", "CoLA")):
        assert main(["report", "tables", "--runs", str(tmp_path), "--table", str(number)]) == 0
        printed = capsys.readouterr().out
        assert shown in printed
        assert hidden not in printed


def written(**metrics: float) -> Result:
    return make_result(task="e2e", metric="bleu", split="test", metrics={"test": metrics}, rows={"train": 8, "test": 9})


def test_a_column_has_the_papers_decimals() -> None:
    (table,) = score_tables([written(bleu=67.13, nist=8.537)], published_table(2))
    text = render([table], "text", 200)
    assert "67.1" in text
    assert "8.54" in text
    assert "paper 8.54 (Δ -0.00)" in text


def test_scores_of_a_task_outside_of_the_papers_table_have_the_decimals_of_their_metric() -> None:
    own = make_result(task="own", metric="ter", metrics={"validation": {"ter": 0.468}})
    (table,) = score_tables([own], published_table(1))
    assert "0.47" in render([table], "text", 200)


def test_missing_metrics_are_named_with_their_requirements() -> None:
    (table,) = score_tables([written(bleu=67.13, nist=8.537)], published_table(2))
    (remark,) = [remark for remark in table.remarks if "Not measured" in remark]
    assert "E2E MET, E2E ROUGE-L, E2E CIDEr" in remark
    assert "WebNLG" not in remark
    assert "Java" in remark
    (table,) = score_tables([written(bleu=1, nist=1, meteor=1, rouge_l=1, cider=1)], published_table(2))
    assert not [remark for remark in table.remarks if "Not measured" in remark]


def test_a_figure_without_numbers_has_a_layout_too() -> None:
    (table,) = score_tables([make_result(task="mrpc", method="autolora")], published_figure(2))
    assert table.title.startswith("Figure 2, RoBERTa-large on MRPC, QQP and SST-2")
    (row,) = table.rows
    assert row.cells["mrpc"].published is None
