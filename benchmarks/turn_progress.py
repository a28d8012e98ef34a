"""How far a measurement in turns is: a bar in a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

from benchmarks.progress import LINE_SECONDS


@contextmanager
def turns_told(total: int, stream: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """Gives what is to be called before each of so many turns, with its name."""
    stream = stream or sys.stderr
    layout = "{percentage:3.0f}% |{bar:20}| {elapsed} done, {remaining} left | {desc}"
    bar = tqdm(total=total, bar_format=layout, smoothing=0, file=stream, dynamic_ncols=True, disable=None)
    began = told = 0

    def tell(name: str) -> None:
        nonlocal began, told
        bar.set_description_str(name, refresh=False)
        bar.update(min(began, 1))  # the turn before is over
        began += 1
        if bar.disable and time.monotonic() - told >= LINE_SECONDS:
            told = int(time.monotonic())
            tqdm.write(f"[{began}/{total}] {name}", file=stream)

    with bar:
        yield tell
