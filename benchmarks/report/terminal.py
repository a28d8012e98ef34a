"""Output to a terminal: control characters are escaped, and reports are coloured where the terminal has colours."""

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
"""(pattern, ANSI colour code) of the coloured parts of a report; the patterns do not overlap. Colour adds no
information."""


def coloured(text: str) -> str:
    """The text with ANSI colour codes."""
    for pattern, code in COLOURS:
        text = pattern.sub(lambda match, code=code: f"\x1b[{code}m{match.group()}\x1b[0m", text)  # type: ignore[misc]
    return text


def shows_colours(stream: TextIO) -> bool:
    """Whether the stream is a terminal with colours; the environment variable NO_COLOR turns colours off."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class SafeStream(io.TextIOBase):
    """A text stream that escapes control characters, so that printed text cannot control the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colours = shows_colours(stream)

    def write(self, text: str) -> int:
        """Write a text with its control characters escaped."""
        escaped = printable(text)
        self._stream.write(coloured(escaped) if self._colours else escaped)
        return len(text)

    def flush(self) -> None:
        """Flush the underlying stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether the underlying stream is a terminal."""
        return self._stream.isatty()
