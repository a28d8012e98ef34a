"""The paper's numbers, as data in `results/paper/`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.nested import build
from benchmarks.spec import InputError

RESULTS = Path(__file__).parent.parent / "results"
PAPER = RESULTS / "paper"


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One method's row."""

    method: str
    title: str
    parameters: float | None
    """Trainable parameters, to the digits printed; None where the table has none."""
    scores: Mapping[str, float]
    """Task -> score."""
    average: float
    """As printed, which is not always what the row's scores give."""


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of scores: methods x tasks."""

    table: int
    title: str
    source: str
    model: str
    """Last part of the backbone's name on the Hub."""
    model_title: str
    data_title: str
    columns: Mapping[str, str]
    """Task -> title, in the paper's order."""
    metrics: Mapping[str, str]
    """Task -> metric, in words."""
    rows: tuple[PublishedRow, ...]
    also: tuple[str, ...] = ()
    """Methods that the paper's table lacks and that belong beside it."""

    @property
    def methods(self) -> list[str]:
        """All that are run for this table."""
        return [*(row.method for row in self.rows), *self.also]

    def row(self, method: str) -> PublishedRow | None:
        """The method's row; None for a method that the paper does not have."""
        return next((row for row in self.rows if row.method == method), None)


def published_table(number: int) -> PublishedTable:
    """Read one of the paper's tables. Raises InputError: it is not among the data."""
    path = PAPER / f"table{number}.json"
    if not path.is_file():
        raise InputError(f"table {number} is not in {PAPER}")
    return build(PublishedTable, json.loads(path.read_text(encoding="utf-8")), f"table{number}")


def published_tables() -> list[int]:
    """Numbers of the paper's tables that are at hand."""
    return sorted(int(path.stem.removeprefix("table")) for path in PAPER.glob("table*.json"))
