"""How many of the cells behind a number have collapsed, counted and as text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from benchmarks.store.result import Result


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells that a test rests on; one that several columns show counts once."""

    number: int
    collapsed: int | None
    """How many of them have collapsed; None where no result records it."""

    @classmethod
    def of(cls, results: Iterable[Result]) -> Self:
        """Count the cells of results."""
        known = {(result.identity, result.environment.key): result.collapsed for result in results}
        recorded = [collapsed for collapsed in known.values() if collapsed is not None]
        return cls(number=len(known), collapsed=sum(recorded) if recorded else None)

    def after(self, text: str) -> str:
        """The text, followed by ", 2 of 30 cells collapsed" where cells have collapsed."""
        if not self.collapsed:
            return text
        return f"{text}, {self.collapsed} of {self.number} cell{'s' if self.number > 1 else ''} collapsed"


def with_collapsed(count: str, collapsed: int | None) -> str:
    """The number of seeds of a mean as text, followed by how many of its cells have collapsed: "n=5, 1 collapsed"."""
    return ", ".join(part for part in (count, f"{collapsed} collapsed" if collapsed else "") if part)
