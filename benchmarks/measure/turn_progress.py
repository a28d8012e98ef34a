"""How far a measurement in turns is: a bar in a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.run.progress import LINE_SECONDS


@contextmanager
def turns_told(total: int, stream: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """Gives what is to be called before each of so many turns, with its name."""
    console = Console(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
    columns = (
        TextColumn("{task.percentage:3.0f}%"),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn("done,"),
        TimeRemainingColumn(),
        TextColumn("left | {task.description}", markup=False),
    )
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    turns = bar.add_task("", total=total)
    begun = 0
    told = -LINE_SECONDS

    def tell(name: str) -> None:
        nonlocal begun, told
        bar.update(turns, description=name, completed=begun)  # the turn before is over
        begun += 1
        if not console.is_terminal and time.monotonic() - told >= LINE_SECONDS:
            told = time.monotonic()
            console.print(f"[{begun}/{total}] {name}")

    with bar:
        yield tell
