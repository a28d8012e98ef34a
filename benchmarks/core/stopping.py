"""Ctrl-C and SIGTERM as a wish to stop, which a run fulfils at its next step."""

import signal
from types import FrameType
from typing import Any, Self

EXIT_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 75}
"""As shells and schedulers know them: interrupted; failed for now, to be tried again."""


class StopOnSignal:
    """While entered, the first SIGINT or SIGTERM is only noted; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def requested(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    @property
    def exit_status(self) -> int:
        """Of a process that the signal ended."""
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
