"""Results and evidence for tests of the paper's claims."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.analysis.claims.claim import ClaimTest, Untested
from benchmarks.analysis.claims.evidence import Evidence
from benchmarks.analysis.claims.kinds import KINDS
from benchmarks.analysis.verdicts import Margin
from benchmarks.core.spec import Prediction
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.fakes import make_result

Scores = Mapping[str, Sequence[float]]
"""Method -> one score per seed."""


def runs(task: str, scores: Scores, **changes: Any) -> list[Result]:
    """One result per method and seed of a task."""
    return [
        make_result(
            task=task,
            task_title=task.upper(),
            method=method,
            seed=seed,
            metric="accuracy",
            rows={"train": 8, "validation": 9000},
            metrics={"validation": {"accuracy": score}},
            identity=f"{task}{method}{seed}".ljust(64, "0"),
            **changes,
        )
        for method, values in scores.items()
        for seed, score in enumerate(values)
    ]


def evidence(folder: Path, results: Sequence[Result], **changes: Any) -> Evidence:
    """Evidence from results whose stored predictions have the accuracy of their scores, over 100 examples."""
    store = Store(folder=folder)
    labels = [0, 1] * 50
    for result in results:
        correct = round(float(result.score or 0))
        predictions = [label if place < correct else 1 - label for place, label in enumerate(labels)]
        prediction = Prediction(labels=labels, predictions=predictions, scores=[[0.0, 0.0]] * 100)
        store.cell(result.task, result.method, result.identity, result.environment.key).write_result(
            result, {"validation": prediction}
        )
    return Evidence(**{"results": results, "store": store, "costs": [], "speeds": [], "margin": Margin()} | changes)


def result_of(kind: str, available: Evidence, **settings: Any) -> ClaimTest:
    """The result of a test of a claim."""
    result = KINDS[kind](settings, available)
    assert isinstance(result, ClaimTest), result
    return result


def reason_untested(kind: str, available: Evidence, **settings: Any) -> str:
    """Why a claim cannot be tested."""
    result = KINDS[kind](settings, available)
    assert isinstance(result, Untested), result
    return result.reason
