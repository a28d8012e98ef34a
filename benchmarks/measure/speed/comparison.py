"""Contenders that do the same work in turns, and the ratios of their times."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.store.speed_record import Timing


@dataclass(frozen=True, kw_only=True)
class Target:
    """Target value of a ratio of times on one kind of device."""

    device: Literal["cpu", "cuda"]
    bound: float
    at_most: bool = True
    """Whether the bound is an upper bound; else it is a lower bound."""

    def met(self, ratio: float) -> bool:
        """Whether the ratio is within the bound."""
        return ratio <= self.bound if self.at_most else ratio >= self.bound

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.bound}"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One implementation of the work."""

    name: str
    run: Callable[[], float]
    """Does the work once and returns its seconds. Hashable: contenders with an equal `run` are timed once per round."""
    baseline: str | None = None
    """Name of the contender whose time this one's time is divided by; None for contenders that are only baselines."""
    targets: Sequence[Target] = ()
    """Targets of the ratio, at most one per kind of device."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Contenders that do the same work."""

    work: str
    """Description of the work."""
    contenders: Sequence[Contender]

    def __post_init__(self) -> None:
        names = [contender.name for contender in self.contenders]
        unknown = {contender.baseline for contender in self.contenders if contender.baseline} - {*names}
        if unknown:
            raise ValueError(f"{self.work}: a baseline must be the name of a contender, {names}; got {unknown}")
        if len(set(names)) < len(names):
            raise ValueError(f"{self.work}: the names of contenders must differ; got {names}")


def compare(comparison: Comparison, rounds: int, device: str, announce: Callable[[str], None]) -> list[Timing]:
    """Run all contenders once to warm up, then in rounds; the contender that goes first changes from round to round.

    Contenders that share a `run`, and differ only in their baselines, are timed once per round.
    """
    names = {contender.run: contender.name for contender in reversed(comparison.contenders)}
    runs = list(dict.fromkeys(contender.run for contender in comparison.contenders))
    for run in runs:
        announce(f"{comparison.work}: {names[run]}, warming up")
        run()
    seconds = {run: [0.0] * rounds for run in runs}
    for number in range(rounds):
        for shift in range(len(runs)):
            run = runs[(number + shift) % len(runs)]
            announce(f"{comparison.work}: {names[run]}, round {number + 1}")
            seconds[run][number] = run()
    by_name = {contender.name: seconds[contender.run] for contender in comparison.contenders}
    return [_timing(comparison.work, contender, by_name, device) for contender in comparison.contenders]


def _timing(work: str, contender: Contender, by_name: Mapping[str, Sequence[float]], device: str) -> Timing:
    """The record of one contender; by_name: seconds of every contender, one per round."""
    seconds = by_name[contender.name]
    baseline = by_name[contender.baseline] if contender.baseline else None
    ratios = [own / other for own, other in zip(seconds, baseline, strict=True)] if baseline else []
    target = next((target for target in contender.targets if target.device == device), None)
    return Timing(
        work=work,
        name=contender.name,
        seconds=tuple(seconds),
        over=contender.baseline,
        ratios=tuple(ratios),
        reach=str(target) if target else None,
        met=target.met(statistics.median(ratios)) if target else None,
    )
