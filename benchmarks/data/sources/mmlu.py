"""MMLU's CSV files: one per subject, with a header line or without, and answers as letters or numbers."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase

from benchmarks.core.spec import InputError, Row
from benchmarks.data.sources.choices import choice_row

_SPLITS = ("_dev", "_test", "_val")
"""Ends of the names of files whose names are subjects."""


def read_mmlu(folder: Path) -> list[Row]:
    """Read all CSV files of a folder, in the order of their names; a line is a question, its choices and the answer.

    The answer is a letter from A or a number from 0. A first line that ends in "answer" is a header.

    Raises:
        InputError: the folder has no questions, or a file cannot be read or is malformed; the message has the line.
    """
    rows = [row for path in sorted(folder.glob("*.csv")) for row in _read_file(path)]
    if not rows:
        raise InputError(f"{folder} must contain CSV files with questions; there are none")
    return rows


def rows_of_mmlu(rows: Iterator[Row]) -> list[Row]:
    """Convert the Hub's rows: `question`, `subject` (empty in the training set), `choices`, `answer` from 0."""
    return [
        choice_row(f"{subject_line(row['subject'])}{row['question'].strip()}", row["choices"], int(row["answer"]))
        for row in rows
    ]


def subject_line(subject: str) -> str:
    """The line before a question about a subject, as in lm-evaluation-harness; empty without a subject."""
    name = subject.replace("_", " ")
    return f"The following are multiple choice questions (with answers) about {name}.\n\n" if name else ""


def _read_file(path: Path) -> Iterator[Row]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    named = next((path.stem.removesuffix(split) for split in _SPLITS if path.stem.endswith(split)), "")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    first = 1
    try:
        for number, cells in enumerate(reader):
            if cells and not (number == 0 and cells[-1].strip().lower() == "answer"):
                yield _row(cells, subject_line(named))
            first = reader.line_num + 1
    except (csv.Error, ValueError) as error:
        raise InputError(f"{path}:{first}: {error}") from None


def _row(cells: Sequence[str], before: str) -> Row:
    """Raises ValueError: the cells are not a question, at least two choices and an answer."""
    if len(cells) < 4:
        raise ValueError(f"a line must have a question, two choices or more, and the answer; got {len(cells)} cells")
    question, *choices, answer = cells
    if not question.strip():
        raise ValueError(f"the question must be a text; got {question!r}")
    names = {name: index for index in range(min(len(choices), 26)) for name in (ascii_uppercase[index], str(index))}
    if answer.strip() not in names:
        raise ValueError(f"the answer must be one of {', '.join(names)}; got {answer[:80]!r}")
    return choice_row(f"{before}{question.strip()}", choices, names[answer.strip()])
