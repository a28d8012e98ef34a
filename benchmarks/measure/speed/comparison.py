"""Contenders that do the same work in turns, and the ratios of their times."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.store.speed_record import Timing


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a ratio should be on a kind of device."""

    device: Literal["cpu", "cuda"]
    bound: float
    at_most: bool = True
    """Whether the bound is an upper one."""

    def met(self, ratio: float) -> bool:
        """Whether the ratio is within the bound."""
        return ratio <= self.bound if self.at_most else ratio >= self.bound

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.bound}"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to do the work."""

    name: str
    run: Callable[[], float]
    """Does the work once; returns the seconds that count. Hashable: who shares it is measured once."""
    over: str | None = None
    """Name of the contender that its time is divided by; None: it is only there to be divided by."""
    reach: Sequence[Reach] = ()
    """At most one per kind of device."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Contenders that can be compared."""

    work: str
    """What each of them does, in words."""
    contenders: Sequence[Contender]

    def __post_init__(self) -> None:
        names = [contender.name for contender in self.contenders]
        strangers = {contender.over for contender in self.contenders if contender.over} - {*names}
        if strangers or len(set(names)) < len(names):
            raise ValueError(f"{self.work}: contenders must be different and divided by one of them; got {names}")


def compare(comparison: Comparison, rounds: int, device: str, tell: Callable[[str], None]) -> list[Timing]:
    """Run all contenders once to warm up, then in rounds, each round beginning with another one.

    Contenders that share a run are one and the same, divided by several others: it is done once a round.
    """
    names = {contender.run: contender.name for contender in reversed(comparison.contenders)}
    runs = list(dict.fromkeys(contender.run for contender in comparison.contenders))
    for run in runs:
        tell(f"{comparison.work}: {names[run]}, warming up")
        run()
    seconds = {run: [0.0] * rounds for run in runs}
    for number in range(rounds):
        for shift in range(len(runs)):
            run = runs[(number + shift) % len(runs)]
            tell(f"{comparison.work}: {names[run]}, round {number + 1}")
            seconds[run][number] = run()
    by_name = {contender.name: seconds[contender.run] for contender in comparison.contenders}
    return [_timing(comparison.work, contender, by_name, device) for contender in comparison.contenders]


def _timing(work: str, contender: Contender, seconds: Mapping[str, Sequence[float]], device: str) -> Timing:
    own = seconds[contender.name]
    ratios = [mine / other for mine, other in zip(own, seconds[contender.over], strict=True)] if contender.over else []
    reach = next((reach for reach in contender.reach if reach.device == device), None)
    return Timing(
        work=work,
        name=contender.name,
        seconds=tuple(own),
        over=contender.over,
        ratios=tuple(ratios),
        reach=str(reach) if reach else None,
        met=reach.met(statistics.median(ratios)) if reach else None,
    )
