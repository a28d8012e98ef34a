"""Does the same give the same? Cells run twice, and with other batches and threads; and what differs then."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tabulate import tabulate

from autolora.training.train import TrainingConfig
from benchmarks.run.launch import Request, Scope
from benchmarks.store.result import Result
from benchmarks.store.store import Store

BASE, SAME = "base", "the same again"


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """All cells once more, with something changed."""

    name: str
    """Also its folder below the store's."""
    says: str
    request: Request


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One cell of a rerun beside the same cell of the base."""

    task_title: str
    method_title: str
    seed: int
    says: str
    base: float | None
    score: float | None
    same_bits: bool
    answers: int
    """Evaluation examples whose prediction differs."""
    of: int
    largest: float
    """Greatest difference of a logit."""


def reruns(request: Request, cores: int) -> Iterator[Rerun]:
    """The base, the same again, twice the batch, and all cores for one cell; each in a store of its own."""
    runs: Mapping[str, tuple[str, Request]] = {
        BASE: ("once", request),
        "again": (SAME, request),
        "batch": ("batches twice as large", _with_batches(request, 2)),
        "threads": (f"{cores} threads", replace(request, workers=1)),
    }
    for name, (says, changed) in runs.items():
        if name == "threads" and cores == 1:
            continue
        yield Rerun(name=name, says=says, request=replace(changed, store=Store(folder=request.store.folder / name)))


def compare(base: Sequence[Result], others: Sequence[Result], rerun: Rerun, base_store: Store) -> list[Compared]:
    """Cell by cell; a cell that failed on one side is left out."""
    by_cell = {(result.task, result.method, result.seed): result for result in others if result.status == "done"}
    return [
        _compare(result, other, rerun, base_store)
        for result in base
        if result.status == "done" and (other := by_cell.get((result.task, result.method, result.seed)))
    ]


def render(compared: Iterable[Compared]) -> str:
    """As a table."""
    rows = [
        {
            "Task": each.task_title,
            "Method": each.method_title,
            "Seed": each.seed,
            "Run": each.says,
            "Score": _score(each.base),
            "There": _score(each.score),
            "Bits": "same" if each.same_bits else "other",
            "Answers that differ": f"{each.answers} of {each.of}",
            "Largest logit difference": f"{each.largest:.2g}",
        }
        for each in compared
    ]
    return tabulate(rows, headers="keys", disable_numparse=True)


def _compare(result: Result, other: Result, rerun: Rerun, base_store: Store) -> Compared:
    mine, theirs = base_store.predictions(result)[result.split], rerun.request.store.predictions(other)[other.split]
    scores = [
        (one, another)
        for first, second in zip(mine["scores"], theirs["scores"], strict=True)
        for one, another in zip(first, second, strict=True)
    ]
    return Compared(
        task_title=result.task_title,
        method_title=result.method_title,
        seed=result.seed,
        says=rerun.says,
        base=result.score,
        score=other.score,
        same_bits=result.fingerprints.get("predictions") == other.fingerprints.get("predictions"),
        answers=sum(one != another for one, another in zip(mine["predictions"], theirs["predictions"], strict=True)),
        of=len(mine["labels"]),
        largest=max(abs(one - another) for one, another in scores),
    )


def _with_batches(request: Request, times: int) -> Request:
    return replace(request, scopes=[_scaled(scope, times) for scope in request.scopes])


def _scaled(scope: Scope, times: int) -> Scope:
    size = times * int(scope.settings.section("training").get("batch_size", TrainingConfig().batch_size))
    layers = (*scope.settings.layers, {"training": {"batch_size": size}})
    return replace(scope, settings=replace(scope.settings, layers=layers))


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"
