"""Learned ranks (Figure 3), and whether they are learned: what results say of it, as tables and sentences."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import log
from typing import Any, Literal

from benchmarks.analysis.difference import Difference, paired
from benchmarks.analysis.rank_stats import Agreement, agreement, correlation, layer_effect, noise_ranks
from benchmarks.analysis.stats import summarise
from benchmarks.report.tables.grid import Grid, write
from benchmarks.store.result import Result

LEARNED = "autolora"
CONTROLS = {
    "lora_shuffled_ranks": "the learned ranks, shuffled",
    "lora_random_ranks": "random ranks, same total",
    "lora_uniform_matched": "uniform rank, same total",
}
"""Method -> what the learned ranks are held against."""
FIGURE_3 = {"qqp": "qqp second-order", "mnli": "mnli second order"}
"""Task -> the authors' list, for the tasks of Figure 3 that have one."""


@dataclass(frozen=True, kw_only=True)
class TaskRanks:
    """The searches of one task, one per seed."""

    task: str
    title: str
    max_rank: int
    seeds: Sequence[int]
    projections: Sequence[str]
    ranks: Sequence[Sequence[int]]
    """Searches x projections."""
    deviation: float
    """Mean of |k * selection variable - 1|: how far the search has moved from equal components."""
    share: float
    """Median of eta's share ||eta * second-order term|| / ||direct term|| over all records."""
    agreement: Agreement | None
    """Between the seeds."""
    noise_mean: float
    """Mean rank of thresholded noise with logits as spread out as these."""
    layer_p: float
    """P value of the ranks' differences between projections against that noise."""
    stops: Sequence["Stop"]
    """Where the searches would have stopped; empty where their history does not tell."""

    @property
    def means(self) -> list[float]:
        """Projection by projection, over the searches."""
        return [statistics.mean(column) for column in zip(*self.ranks, strict=True)]

    def by_role(self) -> dict[Literal["query", "value"], list[float]]:
        """Mean ranks in the order of the blocks."""
        return {
            role: [mean for name, mean in zip(self.projections, self.means, strict=True) if role_of(name) == role]
            for role in ("query", "value")
        }


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Where a search would have stopped by the default rule of convergence."""

    saved: float
    """Share of its steps that would have been left out."""
    same_ranks: float
    """Share of projections whose rank was what it was at the end."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Retraining with the learned ranks against retraining with others, at the same seeds."""

    task: str
    title: str
    against: str
    scaling: str
    learned: float
    """Mean score."""
    other: float
    difference: Difference | None
    """None for a single seed."""
    seeds: int


@dataclass(frozen=True, kw_only=True)
class RankReport:
    """All of it."""

    tasks: Sequence[TaskRanks]
    controls: Sequence[Control]
    same_seed: float | None
    """Mean Spearman correlation of the ranks of two tasks at the same seed, which have the same initial factors."""
    other_seed: float | None
    """The same at different seeds."""


def rank_report(results: Iterable[Result]) -> RankReport:
    """Analyse what is at hand: searches, and the controls that were trained beside them."""
    results = [result for result in results if result.status == "done"]
    searches = {task: summary.results for (task, method), summary in summarise(results).items() if method == LEARNED}
    tasks = [_task_ranks(found) for found in searches.values()]
    return RankReport(
        tasks=tasks,
        controls=[control for task in searches for control in _controls(task, results)],
        same_seed=_between_tasks(tasks, same_seed=True),
        other_seed=_between_tasks(tasks, same_seed=False),
    )


def role_of(projection: str) -> Literal["query", "value"]:
    """A projection's role, from its name."""
    return "query" if projection.rpartition(".")[2].startswith("q") else "value"


def render_ranks(report: RankReport, form: str, width: int) -> str:
    """Figure 3's numbers and the tests, in one of `grid.FORMATS`."""
    if form == "json":
        return json.dumps(asdict(report), indent=1)
    return write(rank_grids(report), form, width)


def rank_grids(report: RankReport) -> list[Grid]:
    """The ranks, whether they are learned, when the searches might have stopped, and what the ranks are worth."""
    grids = [_ranks(report.tasks), _evidence(report)]
    if any(task.stops for task in report.tasks):
        grids.append(_stops(report.tasks))
    if report.controls:
        grids.append(_worth(report.controls))
    return grids


def _task_ranks(results: Sequence[Result]) -> TaskRanks:
    first = results[0]
    projections = list(first.ranks or {})
    ranks = [[(result.ranks or {})[name] for name in projections] for result in results]
    max_rank = int(first.config["method"]["search"]["max_rank"])
    selections = [result.details["selection"] for result in results]
    spread = statistics.mean(
        statistics.pstdev([log(value) for value in values]) for selection in selections for values in selection.values()
    )
    shares = [record["second_order_share"] for result in results for record in result.details["history"]]
    return TaskRanks(
        task=first.task,
        title=first.task_title,
        max_rank=max_rank,
        seeds=[result.seed for result in results],
        projections=projections,
        ranks=ranks,
        deviation=statistics.mean(
            abs(max_rank * value - 1) for selection in selections for values in selection.values() for value in values
        ),
        share=statistics.median(shares),
        agreement=agreement(ranks),
        noise_mean=float(noise_ranks(spread, max_rank, (200, len(projections))).mean()),
        layer_p=layer_effect(ranks, spread, max_rank),
        stops=[Stop(**stop) for result in results if (stop := result.details.get("would_stop"))],
    )


def _controls(task: str, results: Sequence[Result]) -> list[Control]:
    ours = [result for result in results if result.task == task]
    by_scaling = {
        scaling: summarise([result for result in ours if _scaling(result) == scaling])
        for scaling in ("by-rank", "constant")
    }
    found = []
    for scaling, summaries in by_scaling.items():
        learned = summaries.get((task, LEARNED if scaling == "by-rank" else "lora_learned_ranks"))
        for method, against in CONTROLS.items():
            other = summaries.get((task, method))
            if learned is None or other is None:
                continue
            scores = [{result.seed: result.score or 0.0 for result in side.results} for side in (learned, other)]
            seeds = sorted(scores[0].keys() & scores[1].keys())
            first, second = ([side[seed] for seed in seeds] for side in scores)
            if seeds:
                found.append(
                    Control(
                        task=task,
                        title=ours[0].task_title,
                        against=against,
                        scaling=scaling,
                        learned=statistics.mean(first),
                        other=statistics.mean(second),
                        difference=paired(first, second, least_sd=learned.resolution),
                        seeds=len(seeds),
                    )
                )
    return found


def _scaling(result: Result) -> str | None:
    retrain: Mapping[str, Any] = result.config["method"].get("retrain", {})
    return retrain.get("scaling")


def _between_tasks(tasks: Sequence[TaskRanks], *, same_seed: bool) -> float | None:
    found = [
        correlation(one, other)
        for first, second in combinations(tasks, 2)
        if len(first.projections) == len(second.projections)
        for seed, one in zip(first.seeds, first.ranks, strict=True)
        for other_seed, other in zip(second.seeds, second.ranks, strict=True)
        if (seed == other_seed) == same_seed
    ]
    known = [value for value in found if value is not None]
    return statistics.mean(known) if known else None


def _ranks(tasks: Sequence[TaskRanks]) -> Grid:
    rows = [
        [task.title, role, *(f"{rank:.1f}" for rank in ranks)]
        for task in tasks
        for role, ranks in task.by_role().items()
    ]
    blocks = max(len(row) for row in rows) - 2
    headers = ["task", "projection", *(f"block {index + 1}" for index in range(blocks))]
    filled = [[*row, *[""] * (len(headers) - len(row))] for row in rows]
    return Grid(title="Learned ranks, mean over the searches", headers=headers, rows=filled)


def _evidence(report: RankReport) -> Grid:
    rows = [
        [
            task.title,
            str(len(task.seeds)),
            f"{statistics.mean(task.means):.2f}",
            f"{task.noise_mean:.2f}",
            f"{100 * task.deviation:.1f} %",
            "-" if task.agreement is None else f"{task.agreement.w:.2f} (p {task.agreement.p:.3f})",
            f"{1 / len(task.seeds):.2f}",
            f"{task.layer_p:.3f}",
            f"{task.share:.1e}",
        ]
        for task in report.tasks
    ]
    headers = [
        "task",
        "searches",
        "mean rank",
        "of noise",
        "|k alpha - 1|",
        "Kendall's W",
        "by chance",
        "layers, p",
        "eta's share",
    ]
    return Grid(title="Are they learned?", headers=headers, rows=rows, notes=_sentences(report))


def _stops(tasks: Sequence[TaskRanks]) -> Grid:
    rows = [
        [
            task.title,
            str(len(task.stops)),
            f"{100 * statistics.mean(stop.saved for stop in task.stops):.0f} %",
            f"{100 * statistics.mean(stop.same_ranks for stop in task.stops):.0f} %",
        ]
        for task in tasks
        if task.stops
    ]
    headers = ["task", "searches", "steps saved", "ranks as at the end"]
    return Grid(title="Had they stopped on convergence, by the rule's defaults", headers=headers, rows=rows)


def _worth(controls: Sequence[Control]) -> Grid:
    rows = [
        [
            control.title,
            control.scaling,
            control.against,
            f"{control.learned:.1f}",
            f"{control.other:.1f}",
            "-"
            if control.difference is None
            else f"{control.difference.value:+.1f} ± {control.difference.half_width(0.95):.1f}",
            "-" if control.difference is None else f"{control.difference.p_nonzero():.2f} (n={control.seeds})",
        ]
        for control in controls
    ]
    headers = ["task", "scaling", "learned ranks against", "learned", "other", "difference, 95 %", "p"]
    return Grid(title="Are they worth anything?", headers=headers, rows=rows)


def _sentences(report: RankReport) -> list[str]:
    explanation = (
        "W compares the order of the projections between seeds; p is that of a permutation test. "
        "'layers, p' holds the variance between projections against thresholded noise of the same spread."
    )
    sentences = [explanation]
    if report.same_seed is not None and report.other_seed is not None:
        sentences.append(
            f"Between two tasks, ranks correlate by {report.same_seed:+.2f} at the same seed (the same initial "
            f"factors) and by {report.other_seed:+.2f} at different ones (Spearman)."
        )
    return sentences
