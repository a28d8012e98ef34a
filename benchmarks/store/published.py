"""The paper's numbers, read from `results/paper/`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from benchmarks.core.nested import build
from benchmarks.core.spec import InputError
from benchmarks.tasks.metrics.scales import POINTS, Scale, scale_of

RESULTS = Path(__file__).parents[2] / "results"
PAPER = RESULTS / "paper"
LLM = "llm"
"""The listing of LLM benchmarks: its model and protocol are not named, so that no score is judged by it."""


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One method's row of a table."""

    method: str
    title: str
    parameters: float | None
    """Trainable parameters, with the digits printed; None where the table gives none."""
    scores: Mapping[str, float]
    """Task -> score."""
    average: float | None
    """Average as printed, which may differ from the mean of the row's scores; None where the table gives none."""


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """A table of scores, methods x tasks, or a figure with the same content."""

    table: int | str
    """Number of the table or figure; "LLM" for numbers that a later listing gives."""
    kind: Literal["Table", "Figure"] = "Table"
    title: str
    source: str
    model: str
    """Last part of the backbone's name on the Hub."""
    model_title: str
    data_title: str
    columns: Mapping[str, str]
    """Column (a task) -> title, in the paper's order."""
    metrics: Mapping[str, str]
    """Task -> name of the metric, as text."""
    rows: tuple[PublishedRow, ...]
    decimals: Mapping[str, int] = field(default_factory=dict)
    """Column -> number of decimals printed, where it differs from 1."""
    lower_is_better: tuple[str, ...] = ()
    """Columns in which the smallest value is the best."""
    also: tuple[str, ...] = ()
    """Methods that the paper's table lacks and the benchmark adds."""
    on_demand: tuple[str, ...] = ()
    """Further methods that are added only if they are requested by name."""
    measures: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Column -> task and metric, where a column is not a task's headline metric."""

    @property
    def name(self) -> str:
        """Name in the paper, such as "Table 1"; the listing is "Table LLM"."""
        return f"{self.kind} {self.table}"

    @property
    def tasks(self) -> list[str]:
        """All tasks that the columns show."""
        return list(dict.fromkeys(self.measures.get(column, (column, ""))[0] for column in self.columns))

    def scale(self, column: str) -> Scale:
        """The scale of a column's metric; headline metrics of the paper's tasks are in points, and so are averages."""
        return scale_of(self.measures[column][1]) if column in self.measures else POINTS

    @property
    def methods(self) -> list[str]:
        """All methods that are run for this table."""
        return [*(row.method for row in self.rows), *self.also]

    @property
    def shown(self) -> list[str]:
        """All methods that can have a row, in the order of the rows."""
        return [*self.methods, *self.on_demand]

    def row(self, method: str) -> PublishedRow | None:
        """The method's row; None for a method that the paper does not have."""
        return next((row for row in self.rows if row.method == method), None)


def published_table(number: int | str) -> PublishedTable:
    """Read one of the paper's tables, or the listing of LLM benchmarks. Raises InputError: the data do not include it."""
    return _read(LLM) if number == LLM else _published("table", number)


def published_figure(number: int) -> PublishedTable:
    """Read one of the paper's figures of scores. Raises InputError: the data do not include it."""
    return _published("figure", number)


def _published(kind: str, number: int | str) -> PublishedTable:
    if not (PAPER / f"{kind}{number}.json").is_file():
        known = sorted(int(found.stem.removeprefix(kind)) for found in PAPER.glob(f"{kind}*.json"))
        raise InputError(f"{kind} {number} is not in {PAPER}; there are {', '.join(map(str, known))}")
    return _read(f"{kind}{number}")


@cache
def _read(stem: str) -> PublishedTable:
    return build(PublishedTable, json.loads((PAPER / f"{stem}.json").read_text(encoding="utf-8")), stem)


@dataclass(frozen=True, kw_only=True)
class PublishedCounts:
    """Row counts of a data set, as printed in Table 6."""

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
    """Table 6, and numbers given in the paper's text."""

    source: str
    rows: Mapping[str, PublishedCounts]
    """Task -> row counts."""
    text: Mapping[str, PublishedNumber]
    no_numbers: tuple[str, ...]
    """Results that the paper shows without numbers."""


def published_statistics() -> Statistics:
    """Read Table 6 and the numbers given in the paper's text."""
    plain = json.loads((PAPER / "statistics.json").read_text(encoding="utf-8"))
    rows = {task: build(PublishedCounts, counts, task) for task, counts in plain.pop("rows").items()}
    text = {name: build(PublishedNumber, number, name) for name, number in plain.pop("text").items()}
    return Statistics(rows=rows, text=text, source=plain["source"], no_numbers=tuple(plain["no_numbers"]))


@dataclass(frozen=True, kw_only=True)
class LoraRow:
    """What LoRA's authors print about one way of adapting GPT2-medium."""

    parameters: float
    """Trainable parameters, with the digits printed."""
    e2e_bleu: float | None = None
    webnlg_bleu: float | None = None


@dataclass(frozen=True, kw_only=True)
class LoraReport:
    """Scores and parameter counts that LoRA's authors print for the settings of Tables 1 and 2."""

    source: str
    glue_rank: int
    glue: Mapping[str, float]
    """Task -> score of LoRA on RoBERTa-base, by the metrics of Table 1: STS-B by Spearman's correlation."""
    stsb_pearson: float
    """The correlation that their table prints for STS-B, and averages."""
    gpt2_medium: Mapping[str, LoraRow]
    """Full fine-tuning, two sizes of adapters, and LoRA of rank 4."""


def lora_report() -> LoraReport:
    """Read what LoRA's authors print."""
    return build(LoraReport, json.loads((PAPER / "lora_report.json").read_text(encoding="utf-8")), "lora_report")


def score_tables() -> list[int]:
    """Numbers of the tables of scores, which are all tables except that of costs."""
    return [number for number in published_tables() if "cost" not in published_table(number).columns]


def shown_tables() -> list[PublishedTable]:
    """All tables of scores, the listing of LLM benchmarks last."""
    return [*map(published_table, score_tables()), published_table(LLM)]


def published_tables() -> list[int]:
    """Numbers of the paper's tables that the data include."""
    return sorted(int(path.stem.removeprefix("table")) for path in PAPER.glob("table*.json"))


def authors_ranks() -> dict[str, list[int]]:
    """Label -> the ranks that the authors learned, in the order q0, v0, q1, v1, ..."""
    return dict(json.loads((PAPER / "authors_ranks.json").read_text(encoding="utf-8"))["lists"])
