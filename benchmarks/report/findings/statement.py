"""What results say on one question: an answer and the numbers that it follows from; and the words for them."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.analysis.difference import Difference
from benchmarks.tasks.metrics.scales import POINTS, Scale

Side = Literal["above", "below", "undecided"]
"""Where the 95% interval of a difference lies: above 0, below 0, or on both sides."""
WIDTH = 120
"""Characters per line of Markdown."""


@dataclass(frozen=True, kw_only=True)
class Clause:
    """The numbers of one set of results, or of the paper."""

    says: str
    where: str
    """The results that it is about."""
    anchor: str
    """Identifier of the place in the page that has the evidence."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What results say on one question."""

    answer: str
    """The answer, as a sentence without its full stop; its words follow from the numbers."""
    measure: str
    """What the numbers are, as a heading of them."""
    clauses: Sequence[Clause]
    docs: str
    """Path and anchor of the page of the documentation about it."""


def markdown(statements: Iterable[Statement]) -> str:
    """A list in Markdown: the answers with links to the documentation, and below each its numbers."""
    return "\n".join(line for statement in statements for line in _items(statement))


def _items(statement: Statement) -> list[str]:
    path = statement.docs.partition("#")[0]
    head = f"**{statement.answer}.** {statement.measure} ([{path}]({statement.docs})):"
    return [_item(head, ""), *(_item(f"{clause.where}: {clause.says}", "  ") for clause in statement.clauses)]


def _item(text: str, indent: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"{indent}- ",
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def side(difference: Difference) -> Side:
    """Where the 95% interval of a difference lies."""
    low, high = difference.interval(0.95)
    return "above" if low > 0 else "below" if high < 0 else "undecided"


def common(sides: Iterable[Side]) -> Side | None:
    """The side that all differences are on; None where they differ, or for none."""
    found = set(sides)
    return found.pop() if len(found) == 1 else None


def interval(difference: Difference, scale: Scale = POINTS) -> str:
    """A difference with its 95% interval, as text."""
    low, high = map(scale.text, difference.interval(0.95))
    return f"{scale.signed(difference.value)} {scale.unit} (95%: {low} to {high})"


def listed(texts: Sequence[str]) -> str:
    """Texts with commas, and "and" before the last."""
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


def spread(values: Iterable[float], decimals: int) -> str:
    """The least and the greatest value, or the value where they are printed alike."""
    known = sorted(values)
    low, high = (f"{value:.{decimals}f}" for value in (known[0], known[-1]))
    return low if low == high else f"{low} to {high}"


def plural(count: int, noun: str) -> str:
    """A number and its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def first_part(text: str) -> str:
    """The text up to its first comma."""
    return text.partition(",")[0]
