"""The data in results/paper/ are compared with the numbers in the text of the paper."""

import hashlib
import re

import pytest

from benchmarks.store.comparability import incomparable
from benchmarks.store.published import (
    LLM,
    authors_ranks,
    published_statistics,
    published_table,
    published_tables,
    shown_tables,
)
from tests.support.fakes import make_result
from tests.support.paths import SHARED

PAPER = SHARED / "paper" / "autolora_paper.md"
SHA256 = "5db91e1e4b5b3b9486daeae492b4e84ce712a5cfb02022508df15e6c4dd2f245"
TITLES = {"AutoLoRA ($\\eta = 0$)": "AutoLoRA (eta = 0)"}


@pytest.fixture
def paper() -> list[list[str]]:
    """The rows of the paper's tables, split into cells."""
    if not PAPER.exists():
        pytest.skip("the text of the paper is not available")
    content = PAPER.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    return [line.split("\t") for line in content.decode().splitlines() if "\t" in line]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_table_is_what_the_paper_prints(number: int, paper: list[list[str]]) -> None:
    table = published_table(number)
    width = len(table.columns)
    for row in table.rows:
        printed = [
            [cell for cell in cells if cell]
            for cells in paper
            if TITLES.get(cells[0], cells[0]) == row.title
            and len([cell for cell in cells if cell]) in _widths(number, width)
        ]
        numbers = [f"{score:.{table.decimals.get(column, 1)}f}" for column, score in row.scores.items()]
        expected = [*([f"{row.parameters / 1e6:.1f}M"] if row.parameters and number != 4 else []), *numbers]
        expected += [f"{row.average:.1f}"] if row.average is not None else []
        assert [cells[1:] for cells in printed if cells[1:] == expected], (row.title, expected, printed)


def _widths(number: int, columns: int) -> set[int]:
    """Number of cells per row: title, parameters (except in Table 4), scores, average (Tables 1 and 4)."""
    return {columns + {1: 3, 2: 2, 3: 2, 4: 2}[number]}


def test_costs_are_what_the_paper_prints(paper: list[list[str]]) -> None:
    (costs,) = [cells[1:] for cells in paper if cells[0] == "Cost"]
    assert costs == [f"x{row.scores['cost']:g}" for row in published_table(5).rows]


def test_the_counts_of_table_6_are_what_the_paper_prints(paper: list[list[str]]) -> None:
    (titles,) = [cells[1:] for cells in paper if "MNLI (m/mm)" in cells]
    train, dev = (next(cells[1:] for cells in paper if cells[0] == name) for name in ("Train", "Dev"))
    statistics = published_statistics()
    assert [row.title for row in statistics.rows.values()] == [title.removesuffix(" (m/mm)") for title in titles]
    assert [row.train for row in statistics.rows.values()] == [int(count) for count in train]
    assert [row.dev for row in statistics.rows.values()] == [
        tuple(int(part) for part in re.split("/", count)) for count in dev
    ]


def test_every_table_with_scores_is_there() -> None:
    assert published_tables() == [1, 2, 3, 4, 5]
    for number in published_tables():
        table = published_table(number)
        assert all(set(row.scores) == set(table.columns) for row in table.rows)
        assert set(table.lower_is_better) <= set(table.columns)


def test_the_listing_of_llm_benchmarks_is_shown_and_never_judged() -> None:
    listing = published_table(LLM)
    assert listing.name == "Table LLM"
    assert next(row for row in listing.rows if row.scores).scores["arc_easy"] == 76.9
    assert shown_tables()[-1] == listing
    for model in ("meta-llama/Llama-2-7b-hf", "smollm2", "folder/"):
        result = make_result(task="arc_easy", config={"model": model}, data_source="hub allenai/ai2_arc@0")
        assert "the model of the listing, which is not named" in incomparable([result], listing)[0]


def test_results_without_numbers_are_listed() -> None:
    assert len(published_statistics().no_numbers) == 2
    assert authors_ranks()
