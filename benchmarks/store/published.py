"""The paper's numbers, as data in `results/paper/`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.core.nested import build
from benchmarks.core.spec import InputError

RESULTS = Path(__file__).parents[2] / "results"
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
    average: float | None
    """As printed, which is not always what the row's scores give; None where the table has none."""


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of scores, or a figure that shows what could be one: methods x tasks."""

    table: int
    """Its number."""
    kind: Literal["Table", "Figure"] = "Table"
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
    decimals: Mapping[str, int] = field(default_factory=dict)
    """Column -> decimals printed, where it is not one."""
    lower_is_better: tuple[str, ...] = ()
    """Columns in which the smallest value is the best."""
    also: tuple[str, ...] = ()
    """Methods that the paper's table lacks and that belong beside it."""
    on_demand: tuple[str, ...] = ()
    """Others that belong beside it, and are run for it only where they are named."""
    measures: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Column -> task and metric, where a column is not a task's headline metric."""

    @property
    def name(self) -> str:
        """As the paper calls it."""
        return f"{self.kind} {self.table}"

    @property
    def tasks(self) -> list[str]:
        """All that its columns show."""
        return list(dict.fromkeys(self.measures.get(column, (column, ""))[0] for column in self.columns))

    @property
    def methods(self) -> list[str]:
        """All that are run for this table."""
        return [*(row.method for row in self.rows), *self.also]

    @property
    def shown(self) -> list[str]:
        """All that have a row in it once they have been run, in its order."""
        return [*self.methods, *self.on_demand]

    def row(self, method: str) -> PublishedRow | None:
        """The method's row; None for a method that the paper does not have."""
        return next((row for row in self.rows if row.method == method), None)


def published_table(number: int) -> PublishedTable:
    """Read one of the paper's tables. Raises InputError: it is not among the data."""
    return _published("table", number)


def published_figure(number: int) -> PublishedTable:
    """Read one of the paper's figures of scores. Raises InputError: it is not among the data."""
    return _published("figure", number)


def _published(kind: str, number: int) -> PublishedTable:
    path = PAPER / f"{kind}{number}.json"
    if not path.is_file():
        known = sorted(int(found.stem.removeprefix(kind)) for found in PAPER.glob(f"{kind}*.json"))
        raise InputError(f"{kind} {number} is not in {PAPER}; there are {', '.join(map(str, known))}")
    return build(PublishedTable, json.loads(path.read_text(encoding="utf-8")), path.stem)


@dataclass(frozen=True, kw_only=True)
class PublishedCounts:
    """Rows of a data set, as Table 6 prints them."""

    title: str
    train: int
    dev: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class PublishedNumber:
    """A number in the paper's text."""

    value: float
    section: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Table 6, and numbers that stand in the text."""

    source: str
    rows: Mapping[str, PublishedCounts]
    """Task -> counts."""
    text: Mapping[str, PublishedNumber]
    no_numbers: tuple[str, ...]
    """What the paper shows without numbers."""


def published_statistics() -> Statistics:
    """Read Table 6 and the text's numbers."""
    plain = json.loads((PAPER / "statistics.json").read_text(encoding="utf-8"))
    rows = {task: build(PublishedCounts, counts, task) for task, counts in plain.pop("rows").items()}
    text = {name: build(PublishedNumber, number, name) for name, number in plain.pop("text").items()}
    return Statistics(rows=rows, text=text, source=plain["source"], no_numbers=tuple(plain["no_numbers"]))


def score_tables() -> list[int]:
    """Numbers of the tables of scores: all but that of costs."""
    return [number for number in published_tables() if "cost" not in published_table(number).columns]


def published_tables() -> list[int]:
    """Numbers of the paper's tables that are at hand."""
    return sorted(int(path.stem.removeprefix("table")) for path in PAPER.glob("table*.json"))


def authors_ranks() -> dict[str, list[int]]:
    """Label -> the authors' own learned ranks, in the order q0, v0, q1, v1, ..."""
    return dict(json.loads((PAPER / "authors_ranks.json").read_text(encoding="utf-8"))["lists"])
