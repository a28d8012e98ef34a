"""Reproducibility of cells: identical reruns, reruns with other batch sizes and thread counts, and what differs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tabulate import tabulate

from autolora.training.config import TrainingConfig
from benchmarks.run.launch import Request, Scope
from benchmarks.store.result import Result
from benchmarks.store.store import Store

BASE, SAME = "base", "the same again"


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """All cells run again, unchanged or with one setting changed."""

    name: str
    """Also the name of its folder below the store's folder."""
    change: str
    """What differs from the base run, as the table shows it."""
    request: Request


@dataclass(frozen=True, kw_only=True)
class CellComparison:
    """One cell of a rerun, compared with the same cell of the base run."""

    task_title: str
    method_title: str
    seed: int
    change: str
    """What differs from the base run."""
    base_score: float | None
    score: float | None
    """Score in the rerun."""
    same_bits: bool
    """Whether all predictions and logits are bitwise equal."""
    differing_predictions: int
    """Number of evaluation examples whose prediction differs."""
    examples: int
    """Number of evaluation examples."""
    largest_logit_difference: float


def reruns(request: Request, cores: int) -> Iterator[Rerun]:
    """The base run, an identical rerun, one with doubled batches, and one with all cores per cell, each in a store."""
    runs: Mapping[str, tuple[str, Request]] = {
        BASE: ("once", request),
        "again": (SAME, request),
        "batch": ("batches twice as large", _with_batches(request, 2)),
        "threads": (f"{cores} threads", replace(request, workers=1)),
    }
    for name, (change, changed) in runs.items():
        if name == "threads" and cores == 1:
            continue
        yield Rerun(name=name, change=change, request=replace(changed, store=Store(folder=request.store.folder / name)))


def compare(base: Sequence[Result], others: Sequence[Result], rerun: Rerun, base_store: Store) -> list[CellComparison]:
    """Compare the base run's cells with a rerun's; cells that failed in either run are left out."""
    by_cell = {(result.task, result.method, result.seed): result for result in others if result.status == "done"}
    return [
        _compare(result, other, rerun, base_store)
        for result in base
        if result.status == "done" and (other := by_cell.get((result.task, result.method, result.seed)))
    ]


def render(comparisons: Iterable[CellComparison]) -> str:
    """A table with one row per comparison."""
    rows = [
        {
            "Task": each.task_title,
            "Method": each.method_title,
            "Seed": each.seed,
            "Run": each.change,
            "Score": _score(each.base_score),
            "Rerun score": _score(each.score),
            "Bits": "same" if each.same_bits else "other",
            "Predictions that differ": f"{each.differing_predictions} of {each.examples}",
            "Largest logit difference": f"{each.largest_logit_difference:.2g}",
        }
        for each in comparisons
    ]
    return tabulate(rows, headers="keys", disable_numparse=True)


def _compare(result: Result, other: Result, rerun: Rerun, base_store: Store) -> CellComparison:
    base = base_store.predictions(result)[result.split]
    again = rerun.request.store.predictions(other)[other.split]
    logits = [
        pair
        for base_logits, other_logits in zip(base["scores"], again["scores"], strict=True)
        for pair in zip(base_logits, other_logits, strict=True)
    ]
    predictions = zip(base["predictions"], again["predictions"], strict=True)
    return CellComparison(
        task_title=result.task_title,
        method_title=result.method_title,
        seed=result.seed,
        change=rerun.change,
        base_score=result.score,
        score=other.score,
        same_bits=result.fingerprints.get("predictions") == other.fingerprints.get("predictions"),
        differing_predictions=sum(first != second for first, second in predictions),
        examples=len(base["labels"]),
        largest_logit_difference=max(abs(first - second) for first, second in logits),
    )


def _with_batches(request: Request, times: int) -> Request:
    """The request with all batch sizes multiplied."""
    return replace(request, scopes=[_scaled(scope, times) for scope in request.scopes])


def _scaled(scope: Scope, times: int) -> Scope:
    size = times * int(scope.settings.section("training").get("batch_size", TrainingConfig().batch_size))
    layers = (*scope.settings.layers, {"training": {"batch_size": size}})
    return replace(scope, settings=replace(scope.settings, layers=layers))


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"
