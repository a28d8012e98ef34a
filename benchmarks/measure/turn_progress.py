"""Progress of a measurement in turns: a progress bar in a terminal, a line per minute elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.run.progress import LINE_SECONDS


@contextmanager
def turn_progress(total: int, stream: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """Show the progress of a number of turns; yields the function to call with a turn's name before the turn starts."""
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
    started = 0
    last_line = -LINE_SECONDS

    def announce(name: str) -> None:
        nonlocal started, last_line
        bar.update(turns, description=name, completed=started)  # all turns that started before have ended
        started += 1
        if not console.is_terminal and time.monotonic() - last_line >= LINE_SECONDS:
            last_line = time.monotonic()
            console.print(f"[{started}/{total}] {name}")

    with bar:
        yield announce
