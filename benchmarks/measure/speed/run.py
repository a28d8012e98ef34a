"""Runs the comparisons of `measure speed`."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure.speed.comparison import compare
from benchmarks.measure.speed.comparisons import COMPARISONS
from benchmarks.measure.speed.setting import Setting
from benchmarks.store.speed_record import Timing


def measure_speed(
    names: Sequence[str], setting: Setting, rounds: int, announce: Callable[[str], None]
) -> Iterator[list[Timing]]:
    """Time the contenders of the named comparisons in turns; yields the timings of each work once it is measured."""
    device = setting.runtime.device.partition(":")[0]
    for name in names:
        for comparison in COMPARISONS[name](setting):
            yield compare(comparison, rounds, device, announce)
