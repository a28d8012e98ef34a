"""Training time until a score is reached, from results that recorded the score after every epoch."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.analysis.stats import summarise
from benchmarks.core.spec import InputError
from benchmarks.store.result import Result


@dataclass(frozen=True, kw_only=True)
class TimeToScore:
    """Training time of one method on one task until a score is reached."""

    seconds: float | None
    """Median over the seeds that reach the score; None if no seed reaches it."""
    seeds: int
    """Number of seeds that reach the score."""
    of: int
    """Number of all seeds."""

    def __str__(self) -> str:
        return f"never (0/{self.of})" if self.seconds is None else f"{self.seconds:.0f} s ({self.seeds}/{self.of})"


def seconds_to(score: float, result: Result) -> float | None:
    """Seconds before the training, plus seconds of the training up to the first epoch with at least this score.

    All epochs have equally many steps, so each counts with the same fraction of the training time.

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
    for epoch, epoch_score in sorted(epochs.items()):
        if epoch_score is not None and epoch_score >= score:
            return before + result.seconds["train"] * epoch / max(epochs)
    return None


def times_to_score(results: Iterable[Result], score: float) -> dict[tuple[str, str], TimeToScore]:
    """(title of the task, title of the method) -> training time until the score is reached."""
    times = {}
    for summary in summarise(results).values():
        seconds = [seconds_to(score, result) for result in summary.results]
        reached = [each for each in seconds if each is not None]
        first = summary.results[0]
        times[first.task_title, first.method_title] = TimeToScore(
            seconds=statistics.median(reached) if reached else None, seeds=len(reached), of=len(seconds)
        )
    return times


def render_times(times: Mapping[tuple[str, str], TimeToScore], score: float) -> str:
    """Render a table of methods x tasks as text."""
    tasks: Sequence[str] = list(dict.fromkeys(task for task, _ in times))
    methods = list(dict.fromkeys(method for _, method in times))
    rows = [{"Method": method, **{task: str(times.get((task, method), "-")) for task in tasks}} for method in methods]
    table = tabulate(rows, headers="keys", disable_numparse=True)
    return f"Training time until an epoch ends with a score of {score:g} (seeds that get there)\n\n{table}"
