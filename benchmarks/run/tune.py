"""Tunes the learning rate of each method on each task; trials are scored on a held-out part of the training set.

The section `[tuning]` of the preset lists the rates of each method. A trial uses its rate wherever the method trains
weights (for AutoLoRA in the search and in the retraining). No trial uses the evaluation splits.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
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
from benchmarks.tasks.metrics.scales import Scale

SUFFIX = "-tuning"
"""Added to the preset's name, so that no report counts a trial as a result of the preset."""


def trials(settings: Settings, methods: Sequence[str]) -> list[tuple[str, Settings]]:
    """Method and settings of each trial.

    Raises:
        InputError: the preset has no learning rates for one of the methods.
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


@dataclass(frozen=True, kw_only=True)
class Trials:
    """The learning rates that a method tried on a task."""

    task: str
    method: str
    keys: tuple[tuple[str, ...], ...]
    """Keys of the learning rate in the method's settings; one key per training of the method."""
    scale: Scale
    """The scale of the scores."""
    scores: Mapping[float, float | None]
    """Learning rate -> score on the held-out part, in ascending order of rates; None where the trial failed."""

    @property
    def best(self) -> float:
        """The rate with the best score; the smallest rate among equal scores."""
        return max(self.scores, key=lambda rate: (_score_or_lowest(self.scores[rate]), -rate))


def tried(results: Iterable[Result]) -> list[Trials]:
    """The trials of each task and method. Raises InputError: a cell was trained at several rates."""
    scores: dict[tuple[str, str], dict[float, float | None]] = {}
    keys: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {}
    scales: dict[tuple[str, str], Scale] = {}
    for result in results:
        rates = dict(_rates(result.config["method"]))
        if len({*rates.values()}) != 1:
            raise InputError(
                f"{result.task}/{result.method} was trained at several rates {sorted({*rates.values()})}: so it is no tuning trial"
            )
        pair = (result.task, result.method)
        keys[pair], scales[pair] = tuple(rates), result.scale
        scores.setdefault(pair, {})[next(iter(rates.values()))] = result.score
    return [
        Trials(task=pair[0], method=pair[1], keys=keys[pair], scale=scales[pair], scores=dict(sorted(of_pair.items())))
        for pair, of_pair in scores.items()
    ]


def render(results: Iterable[Result]) -> str:
    """A table of all trials with the best rates marked, followed by the best rates as sections of a preset."""
    found = tried(results)
    rows = [[each.task, each.method, _scores(each)] for each in found]
    table = tabulate(rows, headers=("task", "method", "score on the held-out part of train, by learning rate"))
    sections = [
        "\n".join(
            [f"[tasks.{each.task}.methods.{each.method}]", *(f"{'.'.join(key)} = {each.best:g}" for key in each.keys)]
        )
        for each in found
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


def write_rates(path: Path, preset: TOMLDocument, results: Iterable[Result]) -> None:
    """Write the best rates of every task and method into a preset; its other settings are kept."""
    for each in tried(results):
        if each.scores[each.best] is None:
            continue  # all trials failed
        for key in each.keys:
            table: Any = preset
            for name in ("tasks", each.task, "methods"):
                table = table.setdefault(name, tomlkit.table(is_super_table=True))
            _assign(table.setdefault(each.method, tomlkit.table()), key, each.best)
    write_atomically(path, tomlkit.dumps(preset).encode())


def _assign(table: Any, key: Sequence[str], value: float) -> None:
    """Set a dotted key, inside the existing tables as far as they go."""
    name, *rest = key
    if not rest:
        table[name] = value
    elif name in table:
        _assign(table[name], rest, value)
    else:
        table.append(tomlkit.key(list(key)), value)


def _score_or_lowest(score: float | None) -> float:
    return -math.inf if score is None else score


def _scores(trials: Trials) -> str:
    return ", ".join(
        f"{rate:g}: {'failed' if score is None else trials.scale.text(score)}{' *' if rate == trials.best else ''}"
        for rate, score in trials.scores.items()
    )


def _rates(table: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Key and value of each learning rate in a method's settings."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            key = (*prefix, name)
            yield from [((*key, "lr"), float(value["lr"]))] if name == "training" else _rates(value, key)
