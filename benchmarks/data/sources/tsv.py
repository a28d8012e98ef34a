"""Rows from tab-separated files in the layout that GLUE distributes.

Quoting is off: a double quote is an ordinary character. A byte order mark, CRLF and a missing line end after
the last row change nothing; everything else that is wrong is an error with file and line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.rows import Columns, task_data
from benchmarks.data.sources.text import lines_of


@dataclass(frozen=True, kw_only=True)
class TsvLayout:
    """How the official files of one data set are laid out."""

    folder: str
    """The data set's own folder: "CoLA"."""
    text: tuple[str, ...]
    """The columns with the texts, in the order of the Hub's."""
    label: str
    """The column with the label."""
    header: tuple[str, ...] = ()
    """Names for all columns where the files have no header line; empty: the first line of each file names them."""
    files: Mapping[str, str] = field(default_factory=lambda: {"train": "train", "validation": "dev"})
    """Split -> file name without ".tsv"."""
    broken_rows: bool = False
    """The official files hold rows that lack columns; they are left out, as they are in the Hub's copy."""


def read_tsv(
    folder: Path, layout: TsvLayout, columns: Columns, splits: Sequence[str], *, partial: bool = False
) -> TaskData:
    """Read the splits of one data set.

    Args:
        folder: holds the data set's files.
        layout: what they are called and how they are laid out.
        columns: what a row is.
        splits: the splits to read.
        partial: take `X.partial.tsv`, a sample, where `X.tsv` is missing.

    Raises:
        InputError: a file is missing or malformed.
    """
    rows: dict[str, list[Row]] = {}
    samples, notes = [], []
    for split in splits:
        path, is_sample = _find(folder, layout.files[split], partial=partial)
        rows[split], broken = _read_file(path, layout, columns)
        if is_sample:
            samples.append(split)
        if broken:
            notes.append(f"{split}: {broken:,} broken rows of {path.name} lack columns and are left out.")
    return task_data(rows, f"tsv {folder.name}", partial=tuple(samples), notes=tuple(notes))


def _find(folder: Path, name: str, *, partial: bool) -> tuple[Path, bool]:
    whole, sample = folder / f"{name}.tsv", folder / f"{name}.partial.tsv"
    if whole.is_file():
        return whole, False
    if not sample.is_file():
        raise InputError(f"{whole} is missing; put the data set's official file there, or use --data hub or embedded")
    if not partial:
        raise InputError(f"{whole} is missing; only {sample.name}, a sample of it, is there: --partial allows its use")
    return sample, True


def _read_file(path: Path, layout: TsvLayout, columns: Columns) -> tuple[list[Row], int]:
    """All rows of one file, and how many broken ones were left out."""
    lines = lines_of(path)
    header = layout.header or next(lines, (0, ""))[1].split("\t")
    missing = [name for name in (*layout.text, layout.label) if name not in header]
    if missing:
        raise InputError(f"{path}:1: the header line lacks {missing}; it names {list(header)}")
    text, label = [header.index(name) for name in layout.text], header.index(layout.label)
    rows, broken = [], 0
    for number, line in lines:
        cells = line.split("\t")
        if layout.broken_rows and len(cells) < len(header):
            broken += 1
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}:{number}: {len(cells)} columns where {len(header)} are due ({', '.join(header)}); "
                "quotes do not protect a tab or a line break, remove it from the text"
            )
        try:
            rows.append(columns.row([cells[index] for index in text], cells[label]))
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from None
    if not rows:
        raise InputError(f"{path} holds no rows")
    return rows, broken
