"""Tunes the learning rate of each method; trials are scored on a held-out part of the training set.

The section `[tuning]` of the preset lists the rates of each method, equally many, and the seeds of each trial. The rate
with the highest mean score less one standard deviation over the seeds is best, so that a rate at which some seeds
collapse is not chosen for its luckiest seed. A trial uses its rate wherever the method trains weights (for AutoLoRA in
the search and in the retraining). No trial uses the evaluation splits.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import tomlkit
from tabulate import tabulate
from tomlkit import TOMLDocument
from tomlkit.exceptions import TOMLKitError

from benchmarks.core.registry import canonical
from benchmarks.core.settings import Settings
from benchmarks.core.spec import InputError
from benchmarks.store.result import Result
from benchmarks.store.store import write_atomically

SUFFIX = "-tuning"
"""Added to the preset's name, so that no report counts a trial as a result of the preset."""


def trials(settings: Settings, methods: Sequence[str]) -> list[tuple[str, Settings]]:
    """Method and settings of each trial; its seeds are the settings'.

    Raises:
        InputError: the preset has no learning rates for one of the methods, or fewer than two seeds.
    """
    tuning = settings.section("tuning")
    rates = {canonical(name): values for name, values in tuning.get("lr", {}).items()}
    if missing := [method for method in methods if not rates.get(canonical(method))]:
        raise InputError(f"preset {settings.preset} names no rates to try for {missing[0]}: tuning.lr.{missing[0]}")
    seeds = tuning.get("seeds", [0, 1, 2])
    if len({*seeds}) < 2:
        raise InputError(f"tuning.seeds needs two seeds or more, since a rate is judged by their spread; got {seeds}")
    common = {"run": {"held_out": tuning.get("held_out", 0.1), "seeds": list(seeds)}}
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


def shares_rates(settings: Settings) -> bool:
    """Whether a method gets one rate for all tasks (`tuning.shared`), or one for each task."""
    return bool(settings.section("tuning").get("shared", False))


@dataclass(frozen=True, kw_only=True)
class Trials:
    """The learning rates that a method tried on one task, or on all tasks that are to share a rate."""

    method: str
    keys: tuple[tuple[str, ...], ...]
    """Keys of the learning rate in the method's settings; one key per training of the method."""
    scores: Mapping[float, Mapping[str, Sequence[float | None]]]
    """Learning rate -> task -> score of each seed on the held-out part, in points; rates in ascending order, None where a
    trial failed or its score is undefined."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that the rate is for."""
        return tuple(dict.fromkeys(task for of_rate in self.scores.values() for task in of_rate))

    @property
    def best(self) -> float | None:
        """The rate of the highest value; the smallest rate among equal values, None if all have failed."""
        best = max(self.scores, key=lambda rate: (self.value(rate), -rate))
        return best if isfinite(self.value(best)) else None

    def value(self, rate: float) -> float:
        """Mean less one standard deviation over the seeds, averaged over the tasks; minus infinity if a seed failed."""
        return mean(_steady(self.scores[rate].get(task, ())) for task in self.tasks)


def _steady(scores: Sequence[float | None]) -> float:
    known = [score for score in scores if score is not None]
    return mean(known) - stdev(known) if len(known) == len(scores) > 1 else -inf


def tried(results: Iterable[Result], *, shared: bool = False) -> list[Trials]:
    """The trials of each task and method, or of each method if the tasks share its rate.

    Raises:
        InputError: a cell was trained at several rates.
    """
    scores: dict[tuple[str, str], dict[float, dict[str, list[float | None]]]] = {}
    keys: dict[str, tuple[tuple[str, ...], ...]] = {}
    for result in results:
        rates = dict(_rates(result.config["method"]))
        if len({*rates.values()}) != 1:
            raise InputError(
                f"{result.task}/{result.method} was trained at several rates {sorted({*rates.values()})}: so it is no tuning trial"
            )
        keys[result.method] = tuple(rates)
        of_method = scores.setdefault(("" if shared else result.task, result.method), {})
        of_rate = of_method.setdefault(next(iter(rates.values())), {})
        points = None if result.score is None else 100 * result.score / result.scale.top
        of_rate.setdefault(result.task, []).append(points)
    return [
        Trials(method=method, keys=keys[method], scores=dict(sorted(of_method.items())))
        for (_, method), of_method in scores.items()
    ]


def render(found: Sequence[Trials]) -> str:
    """A table of all trials with the best rates marked, followed by the best rates as sections of a preset."""
    rows = [[task, each.method, _scores(each, task)] for each in found for task in each.tasks]
    table = tabulate(
        rows, headers=("task", "method", "mean and standard deviation on the held-out part, by learning rate")
    )
    sections = [
        "\n".join([f"[{'.'.join(_section(each))}]", *(f"{'.'.join(key)} = {each.best:g}" for key in each.keys)])
        for each in found
        if each.best is not None
    ]
    return "\n\n".join([table, *sections])


def open_preset(path: Path, extends: str) -> TOMLDocument:
    """Parse a preset file for editing; where there is no file, begin a preset that extends the preset `extends`.

    Raises:
        InputError: the file is not valid TOML.
    """
    if not path.exists():
        preset = tomlkit.document()
        preset["extends"] = extends
        return preset
    try:
        return tomlkit.parse(path.read_text("utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error


def write_rates(path: Path, preset: TOMLDocument, found: Iterable[Trials]) -> None:
    """Write the best rates into a preset; its other settings are kept."""
    for each in found:
        if each.best is None:
            continue
        *sections, method = _section(each)
        table: Any = preset
        for name in sections:
            table = table.setdefault(name, tomlkit.table(is_super_table=True))
        own = table.setdefault(method, tomlkit.table())
        for key in each.keys:
            _assign(own, key, each.best)
    write_atomically(path, tomlkit.dumps(preset).encode())


def _section(trials: Trials) -> tuple[str, ...]:
    """The section of a preset that a method's rate belongs to: that of a task, or the method's own for several tasks."""
    of_task = ("tasks", trials.tasks[0]) if len(trials.tasks) == 1 else ()
    return (*of_task, "methods", trials.method)


def _assign(table: Any, key: Sequence[str], value: float) -> None:
    """Set a dotted key, inside the existing tables as far as they go."""
    name, *rest = key
    if not rest:
        table[name] = value
    elif name in table:
        _assign(table[name], rest, value)
    else:
        table.append(tomlkit.key(list(key)), value)


def _scores(trials: Trials, task: str) -> str:
    return ", ".join(
        f"{rate:g}: {_summary(of_rate.get(task, ()))}{' *' if rate == trials.best else ''}"
        for rate, of_rate in trials.scores.items()
    )


def _summary(scores: Sequence[float | None]) -> str:
    known = [score for score in scores if score is not None]
    spread = f" ± {stdev(known):.1f}" if len(known) > 1 else ""
    failed = f" ({len(scores) - len(known)} failed)" if len(known) < len(scores) else ""
    return f"{mean(known):.1f}{spread}{failed}" if known else "failed"


def _rates(table: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Key and value of each learning rate in a method's settings."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            key = (*prefix, name)
            yield from [((*key, "lr"), float(value["lr"]))] if name == "training" else _rates(value, key)
