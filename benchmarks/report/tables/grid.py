"""A table of texts with title and notes, rendered as text, Markdown, LaTeX or CSV."""

import csv
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.report.tables.markdown import escaped

FORMATS = ("text", "markdown", "latex", "csv", "json")
"""Output formats; JSON is rendered by each report itself."""
GAP = 2
"""Number of spaces between two columns."""

Column = Sequence[str]
"""A header and one text per row; a text can have several lines."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table of texts."""

    title: str = ""
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    """One text per column; a text can have several lines."""
    notes: Sequence[str] = ()
    """Sentences below the table."""

    @classmethod
    def of(cls, title: str, rows: Sequence[Mapping[str, str]], notes: Sequence[str] = ()) -> "Grid":
        """From rows as mappings from header to text; all rows have the same headers."""
        headers = list(rows[0]) if rows else []
        return cls(title=title, headers=headers, rows=[[row[name] for name in headers] for row in rows], notes=notes)


def write(grids: Iterable[Grid], form: str, width: int) -> str:
    """Render tables in one of FORMATS except JSON.

    Args:
        grids: the tables.
        form: one of FORMATS.
        width: characters per line of text; exceeded only where two columns alone are wider.
    """
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
    """Render with booktabs; each line of a text becomes its own row."""
    rows = [line for row in grid.rows for line in _lines(row)]
    plain = [[_without_delta(text) for text in row] for row in rows]
    table = tabulate(plain, headers=grid.headers, tablefmt="latex_booktabs", disable_numparse=True)
    comments = [f"% {line}" for text in (grid.title, *grid.notes) for line in text.splitlines()]
    return "\n".join([*comments, table])


def _csv(grid: Grid, width: int) -> str:  # noqa: ARG001  the signature of all writers
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([grid.headers, *([text.replace("\n", "; ") for text in row] for row in grid.rows)])
    return out.getvalue().rstrip("\n")


def _fit(first: Column, others: Sequence[Column], width: int) -> list[list[Column]]:
    """Split columns into blocks of at most `width` characters, each starting with the first column."""
    blocks = [[first]]
    for column in others:
        if len(blocks[-1]) > 1 and sum(_width(each) + GAP for each in [*blocks[-1], column]) - GAP > width:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _width(column: Column) -> int:
    return max(len(line) for text in column for line in text.splitlines() or [""])


def _lines(row: Sequence[str]) -> list[list[str]]:
    parts = [text.splitlines() or [""] for text in row]
    height = max(map(len, parts))
    return [[part[line] if line < len(part) else "" for part in parts] for line in range(height)]


def _without_delta(text: str) -> str:
    """The text without the letter Δ, which LaTeX's default fonts lack."""
    return text.replace("Δ ", "")
