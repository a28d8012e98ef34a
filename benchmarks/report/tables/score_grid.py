"""Renders a table of scores in the paper's layout: each measured number with the published number below it."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.analysis.collapse import with_collapsed
from benchmarks.report.tables.grid import Grid, write
from benchmarks.report.tables.score_table import ScoreRow, ScoreTable, TableScore

Column = list[str]
"""A header and one text per row."""


def render(tables: Sequence[ScoreTable], form: str, width: int) -> str:
    """Render tables in one of `grid.FORMATS`; CSV has one line per score."""
    if form == "json":
        return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False)
    return write(map(_long_grid if form == "csv" else score_grid, tables), form, width)


def score_grid(table: ScoreTable) -> Grid:
    """Table of methods x tasks."""
    headers, *rows = zip(*_columns(table), strict=True)
    return Grid(title=table.title, headers=headers, rows=rows, notes=table.remarks)


def score_text(cell: TableScore, decimals: int = 1) -> str:
    """The measured mean with its standard deviation, its number of seeds, and how many of its cells have collapsed."""
    if cell.measured is None:
        return "failed"
    spread = "" if cell.sd is None else f" ± {cell.sd:.{decimals}f}"
    seeds = f"n={len(cell.seeds)}" if cell.seeds else ""  # an average over tasks has none of its own
    count = f" ({with_collapsed(seeds, cell.collapsed)})" if spread or cell.collapsed else ""
    return f"{cell.measured:.{decimals}f}{cell.mark}{spread}{count}"


def published_text(cell: TableScore, decimals: int = 1) -> str:
    """The published score with the difference measured minus published; empty where none is published."""
    if cell.published is None:
        return ""
    difference = "" if cell.difference is None else f" (Δ {cell.difference:+.{decimals}f})"
    return f"paper {cell.published:.{decimals}f}{difference}"


def _columns(table: ScoreTable) -> list[Column]:
    columns = [
        ["Method", *(row.title for row in table.rows)],
        ["Params", *(parameters_text(row) for row in table.rows)],
        *(
            [title, *(_cell_text(row.cells.get(task), table.decimals[task]) for row in table.rows)]
            for task, title in table.columns.items()
        ),
    ]
    if any(row.average for row in table.rows):
        columns.append(["Avg.", *(_cell_text(row.average) for row in table.rows)])
    return columns


def _long_grid(table: ScoreTable) -> Grid:
    """Long format: one row per method and task."""
    headers = ("table", "method", "task", "mean", "sd", "seeds", "collapsed", "published", "difference")
    rows = [
        (
            table.title,
            row.title,
            table.columns[task],
            *map(_number, (cell.measured, cell.sd)),
            " ".join(map(str, cell.seeds)),
            "" if cell.collapsed is None else str(cell.collapsed),
            *map(_number, (cell.published, cell.difference)),
        )
        for row in table.rows
        for task, cell in row.cells.items()
    ]
    return Grid(headers=headers, rows=rows)


def _cell_text(cell: TableScore | None, decimals: int = 1) -> str:
    if cell is None:
        return "-"
    return "\n".join(part for part in (score_text(cell, decimals), published_text(cell, decimals)) if part)


def parameters_text(row: ScoreRow) -> str:
    """Trainable parameters, measured and published."""
    measured = "-" if row.parameters is None else _millions(row.parameters)
    return measured if row.published_parameters is None else f"{measured}\npaper {row.published_parameters / 1e6:.1f}M"


def _millions(parameters: float) -> str:
    return f"{parameters / 1e6:.{1 if parameters >= 1e6 else 3}f}M"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _plain(table: ScoreTable) -> dict[str, object]:
    """The table for JSON, with the property `difference` of each cell added."""
    plain = asdict(table)
    for row, values in zip(table.rows, plain["rows"], strict=True):
        for task, cell in row.cells.items():
            values["cells"][task]["difference"] = cell.difference
    return plain
