"""The effect of the protocol on scores: stored predictions scored again by the rules of the released code."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from statistics import mean
from typing import Any

from benchmarks.analysis.collapse import with_collapsed
from benchmarks.analysis.resampling import SCORES, one_score
from benchmarks.analysis.stats import Summary, summarise
from benchmarks.core.protocols import DEFAULT, whole_batches
from benchmarks.report.tables.grid import Grid, write
from benchmarks.store.result import Result

Predictions = Callable[[Result], Mapping[str, Mapping[str, Any]]]
"""Result -> evaluation split -> labels, predictions and scores."""
Rescore = Callable[[Result, Mapping[str, Mapping[str, Any]]], float | None]
"""(result, its predictions by split) -> score under another rule; None where it cannot be computed."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Score of runs that were trained under another protocol."""

    score: float
    """Mean over seeds."""
    seeds: int
    """Number of seeds."""
    collapsed: int | None
    """Number of the cells that have collapsed; None where no result records it."""


@dataclass(frozen=True, kw_only=True)
class ProtocolRow:
    """Scores of one method on one task under several rules and protocols, at one preset and backbone."""

    preset: str
    model_title: str
    task_title: str
    method_title: str
    seeds: int
    collapsed: int | None
    """As in `Measured`."""
    score: float
    """Mean score under protocol `clean`: full evaluation set, last epoch."""
    rescored: Mapping[str, float | None]
    """Rule -> mean score of the same runs with only this rule changed; None where it cannot be computed."""
    measured: Mapping[str, Measured]
    """Other protocol -> score of the runs that were trained under it."""


def protocol_rows(results: Iterable[Result], predictions: Predictions) -> list[ProtocolRow]:
    """One row per task and method with results under protocol `clean`."""
    by_protocol: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        by_protocol.setdefault((result.preset, result.model_title, result.protocol), []).append(result)
    summaries = {key: summarise(group) for key, group in by_protocol.items()}
    return [
        _row(preset, model, summary, predictions, _other_protocols(preset, model, pair, summaries))
        for (preset, model, protocol), by_pair in summaries.items()
        if protocol == DEFAULT
        for pair, summary in by_pair.items()
    ]


def render_protocol_effects(rows: Sequence[ProtocolRow], form: str, width: int) -> str:
    """Render rows in one of `grid.FORMATS`."""
    if form == "json":
        return json.dumps([asdict(row) for row in rows], indent=1)
    return write([protocol_grid(rows)], form, width)


def protocol_grid(rows: Sequence[ProtocolRow]) -> Grid:
    """Table of the differences from protocol `clean`."""
    protocols = dict.fromkeys(chain.from_iterable(row.measured for row in rows))
    table = [
        {
            "Preset": row.preset,
            "Task": row.task_title,
            "Method": row.method_title,
            "Seeds": with_collapsed(str(row.seeds), row.collapsed),
            "clean": f"{row.score:.2f}",
            **{rule: _difference(row.rescored[rule], row.score) for rule in RULES},
            **{f"protocol {name}": _measured(row.measured.get(name), row.score) for name in protocols},
        }
        for row in rows
    ]
    note = (
        "The same runs, scored by one rule of the released code at a time, as differences from `clean`; a "
        "column 'protocol ...' has runs that were trained under it. 'best epoch' chooses it on the evaluation set, and "
        "needs the scores of all epochs (--set run.curve=true)."
    )
    return Grid.of("", table, [note])


def _row(
    preset: str, model: str, summary: Summary, predictions: Predictions, measured: Mapping[str, Measured]
) -> ProtocolRow:
    first = summary.results[0]
    runs = [(result, predictions(result)) for result in summary.results]
    return ProtocolRow(
        preset=preset,
        model_title=model,
        task_title=first.task_title,
        method_title=first.method_title,
        seeds=len(summary.results),
        collapsed=summary.collapsed,
        score=summary.mean,
        rescored={name: _mean([rule(*run) for run in runs]) for name, rule in RULES.items()},
        measured=measured,
    )


def _other_protocols(
    preset: str,
    model: str,
    pair: tuple[str, str],
    summaries: Mapping[tuple[str, str, str], Mapping[tuple[str, str], Summary]],
) -> dict[str, Measured]:
    """Protocol other than `clean` -> score of a (task, method) pair at the same preset and backbone."""
    return {
        protocol: Measured(
            score=by_pair[pair].mean, seeds=len(by_pair[pair].results), collapsed=by_pair[pair].collapsed
        )
        for (other_preset, other_model, protocol), by_pair in summaries.items()
        if (other_preset, other_model) == (preset, model) and protocol != DEFAULT and pair in by_pair
    }


def _last_batch_dropped(result: Result, predictions: Mapping[str, Mapping[str, Any]]) -> float | None:
    if result.metric not in SCORES:
        return None
    split = predictions[result.split]
    kept = whole_batches(len(split["labels"]))
    return one_score(result.metric, {part: split[part][:kept] for part in ("labels", "predictions")})


def _splits_pooled(result: Result, predictions: Mapping[str, Mapping[str, Any]]) -> float | None:
    if len(predictions) == 1 or result.metric not in SCORES:
        return None
    parts = ("labels", "predictions")
    return one_score(
        result.metric, {part: list(chain(*(split[part] for split in predictions.values()))) for part in parts}
    )


def _best_epoch(result: Result, predictions: Mapping[str, Mapping[str, Any]]) -> float | None:  # noqa: ARG001  Rescore
    scores = [epoch[result.split][result.metric] for epoch in result.curve.values()]
    return max((score for score in scores if score is not None), default=None)


RULES: Mapping[str, Rescore] = {
    "last batch dropped": _last_batch_dropped,
    "splits pooled": _splits_pooled,
    "best epoch": _best_epoch,
}
"""Name -> rule of the released code that differs from protocol `clean`."""


def _mean(scores: Sequence[float | None]) -> float | None:
    """The mean; None where a score is missing or there are none."""
    known = [score for score in scores if score is not None]
    return mean(known) if known and len(known) == len(scores) else None


def _measured(other: Measured | None, clean: float) -> str:
    if not other:
        return "-"
    return f"{_difference(other.score, clean)} ({with_collapsed(f'n={other.seeds}', other.collapsed)})"


def _difference(score: float | None, clean: float) -> str:
    return "-" if score is None else f"{score - clean:+.2f}"
