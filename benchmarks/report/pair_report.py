"""Paired tests of two methods on the same tasks, seeds and examples, from results and stored predictions."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from statistics import mean

from benchmarks.analysis.claims.evidence import Evidence, common_seeds
from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import Difference, paired
from benchmarks.analysis.resampling import SCORES, mcnemar_p
from benchmarks.analysis.stats import Summary
from benchmarks.report.tables.grid import Grid, write
from benchmarks.tasks.metrics.scales import Scale

CLASSES = ("accuracy", "matthews", "f1")
"""Metrics whose predictions are either correct or wrong, as McNemar's test needs."""


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """Comparison of two methods on one task."""

    task_title: str
    scale: Scale
    """The scale of the scores and their differences."""
    seeds: Sequence[int]
    """Common seeds of both methods."""
    cells: Cells
    """The cells of both methods at these seeds."""
    first: float
    """Mean score of the first method over the common seeds."""
    second: float
    """Mean score of the second method over the common seeds."""
    difference: Difference | None
    """First less second, paired by seed, for fixed examples; None for a single seed."""
    with_examples: Difference | None
    """The difference with the variance over examples added; None also for a metric without a vectorised form."""
    mcnemar: Sequence[float]
    """P value of McNemar's test for each seed; empty for metrics other than CLASSES."""


def pair_rows(evidence: Evidence, tasks: Iterable[str], first: str, second: str) -> list[PairRow]:
    """One row per task on which both methods have a common seed."""
    summaries = evidence.summaries
    pairs = [
        (summaries[task, first], summaries[task, second])
        for task in tasks
        if {(task, first), (task, second)} <= {*summaries}
    ]
    rows = []
    for one, other in pairs:
        seeds = common_seeds([one, other])
        if not seeds:
            continue
        scores = [[side.of_seed(seed) for seed in seeds] for side in (one, other)]
        difference = paired(*scores, least_sd=one.resolution)
        results = list(zip(one.at(seeds), other.at(seeds), strict=True))
        predictions = [[evidence.predictions(result) for result in pair] for pair in results]
        rows.append(
            PairRow(
                task_title=one.results[0].task_title,
                scale=one.scale,
                seeds=seeds,
                cells=Cells.of(chain.from_iterable(results)),
                first=mean(scores[0]),
                second=mean(scores[1]),
                difference=difference,
                with_examples=_with_examples(difference, evidence, one, other),
                mcnemar=[mcnemar_p(*pair) for pair in predictions] if one.results[0].metric in CLASSES else [],
            )
        )
    return rows


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Comparison of two methods on one backbone, preset and protocol."""

    title: str
    methods: tuple[str, str]
    """Titles of both methods."""
    rows: Sequence[PairRow]


def render_pairs(pairs: Iterable[Pairs], form: str, width: int) -> str:
    """Render comparisons in one of `grid.FORMATS`."""
    if form == "json":
        return json.dumps([asdict(each) for each in pairs], indent=1)
    return write(map(_grid, pairs), form, width)


def _grid(pairs: Pairs) -> Grid:
    first, second = pairs.methods
    rows = [
        {
            "Task": row.task_title,
            "Seeds": row.cells.after(str(len(row.seeds))),
            first: row.scale.text(row.first),
            second: row.scale.text(row.second),
            "Difference, 95 %": _interval(row.difference, row.scale),
            "p": "-" if row.difference is None else f"{row.difference.p_nonzero():.3f}",
            "Examples random too": _interval(row.with_examples, row.scale),
            "McNemar's p, seed by seed": ", ".join(f"{p:.3f}" for p in row.mcnemar) or "-",
        }
        for row in pairs.rows
    ]
    note = (
        "Paired by seed: the same data order and initial head. The first interval takes the evaluation set as "
        "given, the second as drawn (bootstrap of the examples, the same for both). Uncorrected for the number of tasks."
    )
    return Grid.of(pairs.title, rows, [note])


def _with_examples(
    difference: Difference | None, evidence: Evidence, one: Summary, other: Summary
) -> Difference | None:
    """The difference with the variance over examples added; None for a metric without a vectorised form."""
    if difference is None or one.results[0].metric not in SCORES:
        return None
    return difference.with_examples(evidence.example_variance(one, other))


def _interval(difference: Difference | None, scale: Scale) -> str:
    if difference is None:
        return "-"
    low, high = difference.interval(0.95)
    return f"{scale.signed(difference.value)} [{scale.signed(low)}, {scale.signed(high)}]"
