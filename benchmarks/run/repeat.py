"""Repeats a finished cell with the settings that its result holds, to compare the two results."""

from collections.abc import Iterable
from dataclasses import replace

from benchmarks.core import registry
from benchmarks.core.identity import REMOVED
from benchmarks.core.nested import Table
from benchmarks.core.settings import Settings
from benchmarks.core.spec import InputError
from benchmarks.run.launch import Request, Scope
from benchmarks.run.machine.environment import usable_cores
from benchmarks.store.result import Result
from benchmarks.store.store import Store


def repetition(result: Result, others: Iterable[Result], changes: Table, store: Store) -> Request:
    """The request that runs a cell again.

    Args:
        result: of the cell.
        others: results of the same store; the cell whose ranks the repeated cell starts from is looked up here.
        changes: changed conditions, where this machine has its data in another folder or another device.
        store: where the new result is written.

    Raises:
        InputError: the cell starts from the ranks of a cell whose result is missing.
    """
    layers = [_as_layer(result, changes)]
    if needed := registry.needed(result.method):
        layers.insert(0, _as_layer(_source_of_ranks(result, needed, others), changes))
    settings = Settings(preset=result.preset, protocol=result.protocol, layers=tuple(layers))
    return Request(
        scopes=[Scope(settings=settings, tasks=[result.task], methods=[result.method])],
        store=store,
        workers=max(1, usable_cores() // result.environment.threads),
    )


def as_before(results: Iterable[Result], result: Result) -> list[Result]:
    """The new results of the repeated cell, under the preset's old name, even if the preset has changed since."""
    return [
        replace(each, preset=result.preset)
        for each in results
        if (each.task, each.method, each.seed) == (result.task, result.method, result.seed)
    ]


def _as_layer(result: Result, changes: Table) -> Table:
    conditions = {name: value for name, value in result.config.items() if name not in ("method", *REMOVED)}
    own = {**conditions, **changes, "methods": {result.method: result.config["method"]}}
    return {"run": {"seeds": [result.seed]}, "tasks": {result.task: own}}


def _source_of_ranks(result: Result, method: str, others: Iterable[Result]) -> Result:
    wanted = (result.fingerprints.get("ranks"), result.seed)
    for other in others:
        if (other.configuration, other.seed) == wanted:
            return other
    raise InputError(
        f"{result.method_title} starts from the ranks of a cell of {method}, whose result is not in the same store"
    )
