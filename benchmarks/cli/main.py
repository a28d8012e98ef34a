"""The command line: `python -m benchmarks COMMAND`."""

# ruff: noqa: T201  a command line prints

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib import metadata

from benchmarks.cli.command import INSTALLED
from benchmarks.cli.index import find, overview
from benchmarks.core.spec import InputError
from benchmarks.core.untrusted import printable
from benchmarks.report.terminal import SafeStream

OURS = ("autolora", "baselines", "benchmarks")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status: 0, 1 (a cell failed), 2 (the input is at fault)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--version"]:
        print(INSTALLED, metadata.version(INSTALLED))
        return 0
    try:
        command, rest = find(words)
        if command is None:
            return _show_commands(words)
        parsed, function = command.parse(rest), command.function
        with redirect_stdout(SafeStream(sys.stdout)):
            return function(parsed) if _processes() == 1 else _distributed(function, parsed)
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


def _show_commands(words: Sequence[str]) -> int:
    """Print what there is to choose from, to stderr where no help was asked for."""
    helped = not {"-h", "--help"}.isdisjoint(words)
    print(overview(words), file=sys.stdout if helped else sys.stderr)
    return 0 if helped else 2


def _processes() -> int:
    """How many processes a launcher such as `accelerate launch` or `torchrun` has started, this one included."""
    said = os.environ.get("WORLD_SIZE", "")
    launched = "LOCAL_RANK" in os.environ  # some clusters set the other variable for every program
    return int(said) if launched and said.isdigit() else 1


def _distributed(command: Callable[[Namespace], int], parsed: Namespace) -> int:
    from benchmarks.run.distributed import run_distributed  # noqa: PLC0415  what only reads never loads torch

    return run_distributed(command, parsed)
