"""One finding of the audit of the paper's own numbers."""

from dataclasses import dataclass
from typing import Literal

Weight = Literal["wrong", "open", "note"]
"""wrong: the paper's numbers contradict each other. open: the text is ambiguous, or the paper lacks the information.
note: useful to know, not a fault.

Each contradiction is counted once: wrong is a printed number that no reading of the text explains, given the other
numbers of the paper and the dimensions of the models it names. A finding that some reading explains is open; one that
follows from another finding, such as the order of two rows from a wrong average, is a note."""


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
