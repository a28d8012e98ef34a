"""Wall clocks by name, for whatever is not optimisation: loading, evaluation, checkpoints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clocks:
    """Seconds so far, by what they went into."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to a clock."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
