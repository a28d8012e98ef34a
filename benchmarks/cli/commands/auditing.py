"""The command that needs the paper's numbers alone, and no package that is slow to load."""

# ruff: noqa: T201  a command line prints

import argparse

from benchmarks.analysis.audit.run import audit, render_audit
from benchmarks.cli.commands.printing import width


def show_audit(arguments: argparse.Namespace) -> int:
    """Print what follows from the paper's own numbers."""
    print(render_audit(audit(), arguments.format, width()))
    return 0
