"""All comparisons that are asked for."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure.speed.comparison import compare
from benchmarks.measure.speed.comparisons import COMPARISONS, Setting
from benchmarks.store.speed_record import Timing


def measure_speed(
    names: Sequence[str], setting: Setting, rounds: int, tell: Callable[[str], None]
) -> Iterator[list[Timing]]:
    """Time the contenders of the named comparisons in turns; one list per work, as soon as it is measured."""
    device = setting.runtime.device.partition(":")[0]
    for name in names:
        for comparison in COMPARISONS[name](setting):
            yield compare(comparison, rounds, device, tell)
