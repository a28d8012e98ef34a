"""What tests ask about processes that they started."""

import os
import time


def group_ends(group: int, seconds: float) -> bool:
    """Whether no process of the group is left after at most so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
