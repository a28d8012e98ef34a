"""A table of scores as text for a terminal, as Markdown, or as JSON."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict

from tabulate import tabulate

from benchmarks.report.score_table import ScoreCell, ScoreRow, ScoreTable

FORMATS = ("text", "markdown", "json")
GAP = 2
"""Blanks between two columns."""

Column = list[str]
"""A heading and one text per row; a text can have two lines."""


def render(tables: Sequence[ScoreTable], form: str, width: int) -> str:
    """Write tables in one of FORMATS; text is at most `width` wide where a single column allows it."""
    if form == "json":
        return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False)
    write = _text if form == "text" else _markdown
    return "\n\n".join(write(table, width) for table in tables)


def _text(table: ScoreTable, width: int) -> str:
    first, *others = _columns(table)
    blocks = [_grid(block, "simple") for block in _fit(first, others, width)]
    sentences = [textwrap.fill(remark, width) for remark in table.remarks]
    return "\n".join([table.title, "", "\n\n".join(blocks), "", *sentences])


def _markdown(table: ScoreTable, width: int) -> str:  # noqa: ARG001  the signature of all writers
    columns = [[text.replace("\n", "<br>") for text in column] for column in _columns(table)]
    return "\n".join([f"**{table.title}**", "", _grid(columns, "pipe"), "", *(f"- {text}" for text in table.remarks)])


def _columns(table: ScoreTable) -> list[Column]:
    columns = [
        ["Method", *(row.title for row in table.rows)],
        ["Params", *(_parameters(row) for row in table.rows)],
        *(
            [title, *(_score(row.cells.get(task), table.decimals.get(task, 1)) for row in table.rows)]
            for task, title in table.columns.items()
        ),
    ]
    if any(row.average for row in table.rows):
        columns.append(["Avg.", *(_score(row.average) for row in table.rows)])
    return columns


def _score(cell: ScoreCell | None, decimals: int = 1) -> str:
    if cell is None:
        return "-"
    spread = f" ± {cell.sd:.{decimals}f} (n={len(cell.seeds)})" if cell.sd is not None else ""
    measured = "failed" if cell.measured is None else f"{cell.measured:.{decimals}f}{spread}"
    if cell.published is None:
        return measured
    difference = "" if cell.difference is None else f" (Δ {cell.difference:+.{decimals}f})"
    return f"{measured}\npaper {cell.published:.{decimals}f}{difference}"


def _parameters(row: ScoreRow) -> str:
    measured = "-" if row.parameters is None else _millions(row.parameters)
    return measured if row.published_parameters is None else f"{measured}\npaper {row.published_parameters / 1e6:.1f}M"


def _millions(parameters: float) -> str:
    return f"{parameters / 1e6:.{1 if parameters >= 1e6 else 3}f}M"


def _fit(first: Column, others: Sequence[Column], width: int) -> list[list[Column]]:
    """Blocks of columns that are no wider than width, each with the first column."""
    blocks = [[first]]
    for column in others:
        if len(blocks[-1]) > 1 and sum(_width(known) + GAP for known in [*blocks[-1], column]) - GAP > width:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _width(column: Column) -> int:
    return max(len(line) for text in column for line in text.splitlines())


def _grid(columns: Sequence[Column], form: str) -> str:
    heads, *rows = zip(*columns, strict=True)
    return tabulate(rows, headers=heads, tablefmt=form, disable_numparse=True)


def _plain(table: ScoreTable) -> dict[str, object]:
    plain = asdict(table)
    for row, values in zip(table.rows, plain["rows"], strict=True):
        for task, cell in row.cells.items():
            values["cells"][task]["difference"] = cell.difference
    return plain
