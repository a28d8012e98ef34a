import csv
import io
import json
from collections.abc import Sequence

import pytest

from benchmarks.report.tables.grid import FORMATS, Grid, write
from benchmarks.report.tables.score_grid import render, score_text
from benchmarks.report.tables.score_table import score_tables
from benchmarks.store.published import published_table
from tests.support.fakes import scored

ROWS = {"train": 100, "validation": 10_000}
GRID = Grid(
    title="T", headers=["Method", "CoLA"], rows=[["A & B_1", "50.0 ± 1.0\npaper 59.0 (Δ -9.0)"]], notes=["5 %."]
)


def test_latex_escapes_and_gives_every_line_a_row_of_its_own() -> None:
    shown = write([GRID], "latex", 80)
    assert "\\toprule" in shown
    assert "A \\& B\\_1" in shown
    rows = [line for line in shown.splitlines() if line.endswith("\\\\")]
    assert len(rows) == 3
    assert "paper 59.0 (-9.0)" in rows[2]
    assert shown.startswith("% T\n% 5 %.\n")


def test_csv_can_be_read_back() -> None:
    rows = list(csv.reader(io.StringIO(write([GRID], "csv", 80))))
    assert rows == [["Method", "CoLA"], ["A & B_1", "50.0 ± 1.0; paper 59.0 (Δ -9.0)"]]


def test_text_that_is_too_wide_goes_on_below_with_the_first_column() -> None:
    wide = Grid(headers=["Method", *"abc"], rows=[["LoRA", *["x" * 10] * 3]])
    assert write([wide], "text", 30).count("LoRA") == 2
    assert write([wide], "text", 300).count("LoRA") == 1


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv"])
def test_a_table_without_rows_is_its_notes(form: str) -> None:
    shown = write([Grid.of("T", [], notes=["Nothing was run."])], form, 80)
    assert form == "csv" or "Nothing was run." in shown


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_of_scores_can_be_written_in_every_form(form: str) -> None:
    tables = score_tables([scored(50.0)], published_table(1))
    assert "50.0" in render(tables, form, 120)


def test_scores_as_csv_are_numbers_of_their_own() -> None:
    tables = score_tables([scored(50.0, seed=0), scored(52.0, seed=1, identity="1")], published_table(1))
    (row,) = csv.DictReader(io.StringIO(render(tables, "csv", 120)))
    assert (float(row["mean"]), row["seeds"], float(row["published"])) == (51.0, "0 1", 59.0)
    assert float(row["difference"]) == pytest.approx(-8.0)


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ((False, True, False), "60.0 ± 2.0 (n=3, 1 collapsed)"),
        ((True, True, True), "60.0 ± 2.0 (n=3, 3 collapsed)"),
        ((False, False, False), "60.0 ± 2.0 (n=3)"),
        ((None, None, None), "60.0 ± 2.0 (n=3)"),
        ((True,), "58.0 (n=1, 1 collapsed)"),
    ],
)
def test_collapsed_cells_are_counted_beside_their_mean(states: Sequence[bool | None], shown: str) -> None:
    results = [
        scored(58.0 + 2 * seed, seed=seed, identity=f"{seed}", collapsed=collapsed)
        for seed, collapsed in enumerate(states)
    ]
    tables = score_tables(results, published_table(1))
    for form in ("text", "markdown", "latex"):
        assert shown in render(tables, form, 120)
    number = states.count(True) if None not in states else None
    (row,) = csv.DictReader(io.StringIO(render(tables, "csv", 120)))
    assert row["collapsed"] == ("" if number is None else str(number))
    assert json.loads(render(tables, "json", 120))[0]["rows"][0]["cells"]["cola"]["collapsed"] == number


def test_an_average_over_tasks_counts_the_collapsed_cells_of_all() -> None:
    columns = published_table(1).columns
    results = [
        scored(50.0, task=task, task_title=title, identity=task, collapsed=task in ("cola", "rte"))
        for task, title in columns.items()
    ]
    (table,) = score_tables(results, published_table(1))
    average = table.rows[0].average
    assert average
    assert score_text(average) == "50.0 (2 collapsed)"


def test_a_score_that_differs_from_autoloras_is_marked() -> None:
    near, far = (
        [(method, base + seed / 10) for seed in range(3)] for method, base in (("full", 50.02), ("lora", 40.0))
    )
    autolora = [("autolora", 50 + seed / 10) for seed in range(3)]
    results = [
        scored(score, method=method, seed=seed, identity=f"{method}{seed}", configuration=method, rows=ROWS)
        for scores in (near, far, autolora)
        for seed, (method, score) in enumerate(scores)
    ]
    (table,) = json.loads(render(score_tables(results, published_table(1)), "json", 120))
    marks = {row["method"]: row["cells"]["cola"]["mark"] for row in table["rows"]}
    assert marks == {"full": "", "lora": "†", "autolora": ""}
    assert any("differs from AutoLoRA's" in remark for remark in table["remarks"])
