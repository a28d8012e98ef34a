"""Ctrl-C and SIGTERM as requests to stop, which a run honours at its next step."""

import signal
from types import FrameType
from typing import Any, Self

EXIT_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 75}
"""Conventional exit codes: 130 is interrupted by SIGINT, 75 (EX_TEMPFAIL) is a temporary failure, to be retried."""


class StopOnSignal:
    """Context in which the first SIGINT or SIGTERM is only recorded; a further SIGINT raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def requested(self) -> bool:
        """Whether a signal was received."""
        return self.received is not None

    @property
    def exit_status(self) -> int:
        """Exit status of a process that stops because of the signal."""
        return EXIT_STATUS[self.received or signal.SIGINT]

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._note) for number in EXIT_STATUS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
