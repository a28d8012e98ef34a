"""The command line: `python -m benchmarks COMMAND`."""

# ruff: noqa: T201  a command line prints

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

from benchmarks.cli.arguments import parser
from benchmarks.cli.commands import reading
from benchmarks.core.spec import InputError
from benchmarks.core.untrusted import printable
from benchmarks.report.terminal import Shown

OURS = ("autolora", "baselines", "benchmarks")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status: 0, 1 (a cell failed), 2 (the input is at fault)."""
    parsed = parser().parse_args(arguments)
    try:
        with redirect_stdout(Shown(sys.stdout)):
            command = _command(parsed.command)
            return _together(command, parsed) if _processes() > 1 else command(parsed)
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


def _processes() -> int:
    """How many of this one a launcher has begun, such as `accelerate launch` or `torchrun`."""
    said = os.environ.get("WORLD_SIZE", "")
    launched = "LOCAL_RANK" in os.environ  # some clusters set the other variable for every program
    return int(said) if launched and said.isdigit() else 1


def _together(command: Callable[[Namespace], int], parsed: Namespace) -> int:
    from benchmarks.run.distributed import together  # noqa: PLC0415  what only reads never loads torch

    return together(command, parsed)


def _command(name: str) -> Callable[[Namespace], int]:
    if name in reading.COMMANDS:
        return reading.COMMANDS[name]
    from benchmarks.cli.commands import judging  # noqa: PLC0415  only what judges loads scipy

    if name in judging.COMMANDS:
        return judging.COMMANDS[name]
    from benchmarks.cli.commands import computing  # noqa: PLC0415  only what computes loads torch

    return computing.COMMANDS[name]
