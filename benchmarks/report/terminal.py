"""What a command prints: harmless, and coloured where a terminal shows colours."""

import io
import os
import re
from typing import TextIO

from benchmarks.core.untrusted import printable

GREEN, RED, YELLOW, DIM, BOLD = "32", "31", "33", "2", "1"
COLOURS = (
    (re.compile(r"\b(reproduced|supported|as before)\b"), GREEN),
    (re.compile(r"\b(deviates|contradicted|moved|[Ff]ailed|FAILED)\b"), RED),
    (re.compile(r"\bcannot be decided\b"), YELLOW),
    (re.compile(r"\b(not comparable|not run|not tested)\b"), DIM),
    (re.compile(r"\bpaper -?[\d.]+[MG]?( \(Δ [^)]*\))?"), DIM),
    (re.compile(r"(?m)^-{2,}(  -{2,})*$"), DIM),
    (re.compile(r"(?m)^(Table|Figure) \d.*$"), BOLD),
)
"""What stands out in a report, and how; no two of them overlap. The words say it all where there is no colour."""


def coloured(text: str) -> str:
    """The text with the codes of a terminal."""
    for pattern, code in COLOURS:
        text = pattern.sub(lambda found, code=code: f"\x1b[{code}m{found.group()}\x1b[0m", text)  # type: ignore[misc]
    return text


def shows_colours(stream: TextIO) -> bool:
    """Whether it ends in a terminal that does; NO_COLOR says that nobody wants them."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Shown(io.TextIOBase):
    """A stream on which no text that a command prints, wherever it comes from, can steer the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colours = shows_colours(stream)

    def write(self, text: str) -> int:
        """Write; what could steer the terminal is written out."""
        harmless = printable(text)
        self._stream.write(coloured(harmless) if self._colours else harmless)
        return len(text)

    def flush(self) -> None:
        """Flush."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether it ends in a terminal."""
        return self._stream.isatty()
