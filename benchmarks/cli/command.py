"""What a command is, and how its options are parsed."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import cast

from benchmarks.cli.options import Option
from benchmarks.core.registry import unknown_name
from benchmarks.core.spec import InputError

INSTALLED = "autolora-bench"
"""Name of the program where the package is installed."""
SETTINGS = "Settings are changed by --set KEY=VALUE; `config` lists the keys"
FEW_OPTIONS = 6
"""With more of them, the first line of a help text does not repeat them all."""


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    """Its words, such as "judge claims"."""
    does: str
    """Module below `benchmarks.cli.commands` and function, such as "judging:show_claims"; loaded when called."""
    help: str
    options: Sequence[Option] = ()

    @property
    def function(self) -> Callable[[argparse.Namespace], int]:
        """What it does with the parsed options; returns the exit status."""
        module, _, name = self.does.partition(":")
        loaded = import_module(f"benchmarks.cli.commands.{module}")
        return cast("Callable[[argparse.Namespace], int]", getattr(loaded, name))

    def parser(self) -> argparse.ArgumentParser:
        """The parser of its options."""
        parser = argparse.ArgumentParser(
            prog=f"{program()} {self.name}",
            description=self.help,
            usage=None if len(self.options) <= FEW_OPTIONS else "%(prog)s [options]",
            allow_abbrev=False,
            formatter_class=partial(argparse.HelpFormatter, max_help_position=26),
        )
        for option in self.options:
            parser.add_argument(option.name, help=option.help, **option.settings)
        return parser

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Its options' values.

        Raises:
            InputError: an option that this command does not have.
            SystemExit: help was asked for, or a value is refused, with a message on stderr.
        """
        parsed, unknown = self.parser().parse_known_args(arguments)
        if unknown:
            known = [option.name for option in self.options]
            error = unknown_name(f"option of `{self.name}`:", unknown[0].partition("=")[0], known)
            raise InputError(f"{error} {SETTINGS}") if "--set" in known else error
        parsed.command = self.name
        return parsed


def program() -> str:
    """The words that start this program: the installed command's name, or "python -m benchmarks"."""
    return INSTALLED if Path(sys.argv[0]).stem == INSTALLED else "python -m benchmarks"
