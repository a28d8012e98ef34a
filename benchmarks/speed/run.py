"""All comparisons that are asked for."""

from collections.abc import Callable, Sequence

from benchmarks.speed.comparison import compare
from benchmarks.speed.comparisons import COMPARISONS, Setting
from benchmarks.speed_record import Timing


def measure_speed(names: Sequence[str], setting: Setting, rounds: int, tell: Callable[[str], None]) -> list[Timing]:
    """Time the named comparisons' contenders in turns."""
    device = setting.runtime.device.partition(":")[0]
    return [
        timing
        for name in names
        for comparison in COMPARISONS[name](setting)
        for timing in compare(comparison, rounds, device, tell)
    ]
