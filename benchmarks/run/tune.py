"""Learning rates, method by method and task by task: the same number of trials each, scored on a part of train.

The preset's `[tuning]` says which rates a method tries. A rate is used wherever the method trains weights (for
AutoLoRA in the search and in the retraining). The evaluation splits stay unseen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tabulate import tabulate

from benchmarks.core.registry import canonical
from benchmarks.core.settings import Settings
from benchmarks.core.spec import InputError
from benchmarks.store.result import Result

SUFFIX = "-tuning"
"""Added to the preset's name, so that a trial is never taken for a result."""


def trials(settings: Settings, methods: Sequence[str]) -> list[tuple[str, Settings]]:
    """Method and settings of each trial.

    Raises:
        InputError: the preset has no learning rates for one of them.
    """
    tuning = settings.section("tuning")
    rates = {canonical(name): values for name, values in tuning.get("lr", {}).items()}
    if missing := [method for method in methods if not rates.get(canonical(method))]:
        raise InputError(f"preset {settings.preset} names no rates to try for {missing[0]}: tuning.lr.{missing[0]}")
    common = {"run": {"held_out": tuning.get("held_out", 0.1), "seeds": [tuning.get("seed", 0)]}}
    return [
        (
            method,
            replace(
                settings,
                preset=settings.preset + SUFFIX,
                layers=(*settings.layers, common | {"training": {"lr": rate}}),
            ),
        )
        for method in methods
        for rate in rates[canonical(method)]
    ]


def best_rates(results: Iterable[Result]) -> dict[tuple[str, str], dict[float, float | None]]:
    """(task, method) -> learning rate -> score on the held-out part, rates in ascending order."""
    scores: dict[tuple[str, str], dict[float, float | None]] = {}
    for result in results:
        scores.setdefault((result.task, result.method), {})[learning_rate(result)] = result.score
    return {pair: dict(sorted(tried.items())) for pair, tried in scores.items()}


def learning_rate(result: Result) -> float:
    """The one learning rate of all of a trial's trainings."""
    rates = set(_rates(result.config["method"]))
    if len(rates) != 1:
        raise InputError(f"{result.task}/{result.method} was trained at several rates {sorted(rates)}: it is no trial")
    return rates.pop()


def render(results: Iterable[Result]) -> str:
    """What was tried and what it scored, the best marked, and the winners as a preset has them."""
    tried = best_rates(results)
    rows = [[task, method, _scores(scores)] for (task, method), scores in tried.items()]
    table = tabulate(rows, headers=("task", "method", "score on the held-out part of train, by learning rate"))
    settings = [
        f"[tasks.{task}.methods.{method}]\ntraining.lr = {winner(scores):g}" for (task, method), scores in tried.items()
    ]
    return "\n\n".join([table, *settings])


def winner(scores: Mapping[float, float | None]) -> float:
    """The rate with the best score; the smallest of equals."""
    return max(scores, key=lambda rate: (-1e9 if scores[rate] is None else scores[rate], -rate))


def _scores(scores: Mapping[float, float | None]) -> str:
    best = winner(scores)
    return ", ".join(
        f"{rate:g}: {'failed' if score is None else f'{score:.1f}'}{' *' if rate == best else ''}"
        for rate, score in scores.items()
    )


def _rates(table: Mapping[str, object]) -> Iterable[float]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from [float(value["lr"])] if key == "training" else _rates(value)
