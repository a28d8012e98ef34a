"""What it costs to reach a score: seconds of training until an epoch's end shows it, made of results with curves."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.analysis.stats import summarise
from benchmarks.core.spec import InputError
from benchmarks.store.result import Result


@dataclass(frozen=True, kw_only=True)
class Reached:
    """One method on one task."""

    seconds: float | None
    """Median over the seeds that reach the score; None: none does."""
    seeds: int
    """That reach it,"""
    of: int
    """of so many."""

    def __str__(self) -> str:
        return f"never (0/{self.of})" if self.seconds is None else f"{self.seconds:.0f} s ({self.seeds}/{self.of})"


def seconds_to(score: float, result: Result) -> float | None:
    """Seconds of everything before the training, and of the training's epochs up to the first with that score.

    An epoch's share of the training is that of its steps: all epochs are equally long.

    Raises:
        InputError: the result has no curve.
    """
    if not result.curve:
        raise InputError(
            f"{result.task}/{result.method} seed {result.seed} has no scores of its epochs: "
            "run it with --set run.curve=true"
        )
    before = sum(result.seconds.get(stage, 0.0) for stage in ("search", "choose"))
    epochs = {int(epoch): scores[result.split][result.metric] for epoch, scores in result.curve.items()}
    for epoch, reached in sorted(epochs.items()):
        if reached is not None and reached >= score:
            return before + result.seconds["train"] * epoch / max(epochs)
    return None


def reached(results: Iterable[Result], score: float) -> dict[tuple[str, str], Reached]:
    """(task's title, method's title) -> when the score is reached."""
    found = {}
    for summary in summarise(results).values():
        seconds = [seconds_to(score, result) for result in summary.results]
        there = [each for each in seconds if each is not None]
        first = summary.results[0]
        found[first.task_title, first.method_title] = Reached(
            seconds=statistics.median(there) if there else None, seeds=len(there), of=len(seconds)
        )
    return found


def render_reached(found: Mapping[tuple[str, str], Reached], score: float) -> str:
    """As a table, methods x tasks."""
    tasks: Sequence[str] = list(dict.fromkeys(task for task, _ in found))
    methods = list(dict.fromkeys(method for _, method in found))
    rows = [{"Method": method, **{task: str(found.get((task, method), "-")) for task in tasks}} for method in methods]
    table = tabulate(rows, headers="keys", disable_numparse=True)
    return f"Training time until an epoch ends with a score of {score:g} (seeds that get there)\n\n{table}"
