"""One finding of the audit of the paper's own numbers."""

from dataclasses import dataclass
from typing import Literal

Weight = Literal["wrong", "open", "note"]
"""wrong: the paper's numbers contradict each other. open: the text is ambiguous, or the paper lacks the information.
note: useful to know, not a fault."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One consequence of the paper's own numbers, compared with what the paper prints."""

    where: str
    """Table, figure or section of the paper."""
    printed: str
    """What the paper prints."""
    follows: str
    """What follows from the paper's other numbers."""
    how: str
    """The arithmetic behind `follows`."""
    weight: Weight
