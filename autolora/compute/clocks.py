"""Named wall-clock timers for everything except optimisation steps: loading, evaluation, checkpoints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clocks:
    """Accumulated seconds of each named timer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the duration of the `with` block to the timer of this name."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
