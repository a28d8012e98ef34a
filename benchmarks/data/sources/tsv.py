"""Rows from tab-separated files in the layout that GLUE distributes.

Double quotes are ordinary characters. A byte order mark, CRLF line ends and a missing last line end are accepted;
all other deviations are errors that name file and line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.rows import Columns, task_data
from benchmarks.data.sources.text import lines_of


@dataclass(frozen=True, kw_only=True)
class TsvLayout:
    """Layout of the official files of one data set."""

    folder: str
    """Name of the data set's folder: "CoLA"."""
    text: tuple[str, ...]
    """The text columns, in the order of the Hub's text columns."""
    label: str
    """The label column."""
    header: tuple[str, ...] = ()
    """Column names, for files without a header line; empty if the first line of each file is a header."""
    files: Mapping[str, str] = field(default_factory=lambda: {"train": "train", "validation": "dev"})
    """Split -> file name without ".tsv"."""
    broken_rows: bool = False
    """Whether the official files contain rows that lack columns; such rows are skipped, as in the Hub's copy."""


def read_tsv(
    folder: Path, layout: TsvLayout, columns: Columns, splits: Sequence[str], *, partial: bool = False
) -> TaskData:
    """Read the splits of one data set.

    Args:
        folder: the folder with the data set's files.
        layout: names and columns of the files.
        columns: the columns of a row.
        splits: the splits to read.
        partial: read `X.partial.tsv`, a sample, where `X.tsv` is missing.

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
        raise InputError(f"{whole} is missing; only a sample, {sample.name}, is there; use --partial to accept it")
    return sample, True


def _read_file(path: Path, layout: TsvLayout, columns: Columns) -> tuple[list[Row], int]:
    """The rows of one file, and the number of skipped broken rows."""
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
                f"{path}:{number}: {len(cells)} columns instead of {len(header)} ({', '.join(header)}); "
                "remove tabs and line breaks from the texts, also from quoted ones"
            )
        try:
            rows.append(columns.row([cells[index] for index in text], cells[label]))
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from None
    if not rows:
        raise InputError(f"{path} contains no rows")
    return rows, broken
