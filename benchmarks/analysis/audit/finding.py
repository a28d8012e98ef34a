"""What an audit finds."""

from dataclasses import dataclass
from typing import Literal

Weight = Literal["wrong", "open", "note"]
"""wrong: what is printed contradicts itself. open: it can be read in several ways, or needs more than is printed.
note: good to know, and no fault."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that follows from the paper's own numbers."""

    where: str
    """Table, figure or section."""
    printed: str
    follows: str
    how: str
    """The arithmetic."""
    weight: Weight
