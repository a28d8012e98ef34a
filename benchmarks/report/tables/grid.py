"""A table of texts with its title and its notes, written for a terminal, for Markdown, for LaTeX or as CSV."""

import csv
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.report.tables.markdown import escaped

FORMATS = ("text", "markdown", "latex", "csv", "json")
"""How tables can be written; JSON is each report's own."""
GAP = 2
"""Blanks between two columns."""

Column = Sequence[str]
"""A heading and one text per row; a text can have several lines."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a reader sees of a table."""

    title: str = ""
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    """A text can have several lines."""
    notes: Sequence[str] = ()
    """Sentences below."""

    @classmethod
    def of(cls, title: str, rows: Sequence[Mapping[str, str]], notes: Sequence[str] = ()) -> "Grid":
        """Of rows that name their columns, all alike."""
        headers = list(rows[0]) if rows else []
        return cls(title=title, headers=headers, rows=[[row[name] for name in headers] for row in rows], notes=notes)


def write(grids: Iterable[Grid], form: str, width: int) -> str:
    """Write tables in one of FORMATS but JSON; text is at most `width` wide where a single column allows it."""
    writer = {"text": _text, "markdown": _markdown, "latex": _latex, "csv": _csv}[form]
    return "\n\n".join(writer(grid, width) for grid in grids)


def _text(grid: Grid, width: int) -> str:
    columns = list(zip(grid.headers, *grid.rows, strict=True))
    blocks = _fit(columns[0], columns[1:], width) if columns else []
    tables = [
        tabulate(rows, headers=headers, disable_numparse=True)
        for headers, *rows in (zip(*block, strict=True) for block in blocks)
    ]
    notes = "\n".join(textwrap.fill(note, width) for note in grid.notes)
    return "\n\n".join(part for part in (grid.title, *tables, notes) if part)


def _markdown(grid: Grid, width: int) -> str:  # noqa: ARG001  the signature of all writers
    headers, *rows = [[escaped(text) for text in row] for row in (grid.headers, *grid.rows)]
    table = tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)
    notes = "\n".join(f"- {escaped(note)}" for note in grid.notes)
    return "\n\n".join(part for part in (f"**{escaped(grid.title)}**" if grid.title else "", table, notes) if part)


def _latex(grid: Grid, width: int) -> str:  # noqa: ARG001  the signature of all writers
    """With booktabs; every line of a text is a row of its own."""
    rows = [line for row in grid.rows for line in _lines(row)]
    plain = [[_typed(text) for text in row] for row in rows]
    table = tabulate(plain, headers=grid.headers, tablefmt="latex_booktabs", disable_numparse=True)
    comments = [f"% {line}" for text in (grid.title, *grid.notes) for line in text.splitlines()]
    return "\n".join([*comments, table])


def _csv(grid: Grid, width: int) -> str:  # noqa: ARG001  the signature of all writers
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([grid.headers, *([text.replace("\n", "; ") for text in row] for row in grid.rows)])
    return out.getvalue().rstrip("\n")


def _fit(first: Column, others: Sequence[Column], width: int) -> list[list[Column]]:
    """Blocks of columns that are no wider than width, each with the first column."""
    blocks = [[first]]
    for column in others:
        if len(blocks[-1]) > 1 and sum(_width(known) + GAP for known in [*blocks[-1], column]) - GAP > width:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _width(column: Column) -> int:
    return max(len(line) for text in column for line in text.splitlines() or [""])


def _lines(row: Sequence[str]) -> list[list[str]]:
    parts = [text.splitlines() or [""] for text in row]
    height = max(map(len, parts))
    return [[part[line] if line < len(part) else "" for part in parts] for line in range(height)]


def _typed(text: str) -> str:
    """What LaTeX's default fonts have."""
    return text.replace("Δ ", "")
