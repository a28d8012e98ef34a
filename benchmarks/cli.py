"""The command line: `python -m benchmarks COMMAND`."""

# ruff: noqa: T201  a command line prints

import errno
import io
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import TextIO

from benchmarks.arguments import parser
from benchmarks.commands import reading
from benchmarks.spec import InputError
from benchmarks.untrusted import printable

OURS = ("autolora", "baselines", "benchmarks")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)


class Harmless(io.TextIOBase):
    """A stream on which no text that a command prints, wherever it comes from, can steer the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; what could steer the terminal is written out."""
        return self._stream.write(printable(text))

    def flush(self) -> None:
        """Flush."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether it ends in a terminal."""
        return self._stream.isatty()


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status: 0, 1 (a cell failed), 2 (the input is at fault)."""
    parsed = parser().parse_args(arguments)
    try:
        with redirect_stdout(Harmless(sys.stdout)):
            return _command(parsed.command)(parsed)
    except InputError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        print(f'error: the package {error.name} is missing: pip install "autolora-bench[benchmark]"', file=sys.stderr)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(f"error: cannot write {error.filename or 'to the disk'}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 2


def _command(name: str) -> Callable[[Namespace], int]:
    if name in reading.COMMANDS:
        return reading.COMMANDS[name]
    from benchmarks.commands import judging  # noqa: PLC0415  only what judges loads scipy

    if name in judging.COMMANDS:
        return judging.COMMANDS[name]
    from benchmarks.commands import computing  # noqa: PLC0415  only what computes loads torch

    return computing.COMMANDS[name]
