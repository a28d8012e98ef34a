"""Analysis of learned ranks (Figure 3): agreement between searches, comparison with noise and with controls."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any, Literal

from autolora.finding.agreement import Agreement, concordance
from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import Difference, paired
from benchmarks.analysis.rank_stats import (
    correlation,
    layer_effect,
    logit_spread,
    noise_ranks,
)
from benchmarks.analysis.stats import summarise
from benchmarks.store.result import Result
from benchmarks.tasks.metrics.scales import Scale

LEARNED = "autolora"
"""The method whose searches are analysed."""
CONTROLS = {
    "lora_shuffled_ranks": "the learned ranks, shuffled",
    "lora_random_ranks": "random ranks, same total",
    "lora_uniform_matched": "uniform rank, same total",
}
"""Control method -> the ranks that it is trained with."""
FIGURE_3 = {"qqp": "qqp second-order", "mnli": "mnli second order"}
"""Task -> name of the authors' list of ranks, for the tasks of Figure 3 that have one."""

NOISE_DRAWS = 200_000
"""Projections of thresholded noise whose mean rank is reported: a standard error of about 0.003."""


@dataclass(frozen=True, kw_only=True)
class TaskRanks:
    """Ranks and statistics of the searches of one task, one search per seed."""

    task: str
    title: str
    max_rank: int
    seeds: Sequence[int]
    projections: Sequence[str]
    roles: Sequence[str]
    """Role of each projection, as the search knew it, or, in results that do not record it, by its name."""
    ranks: Sequence[Sequence[int]]
    """Ranks, shape (searches, projections)."""
    deviation: float
    """Mean of |k * selection variable - 1|: relative deviation of the variables from their equal start 1/k."""
    share: float | None
    """Eta's share (`second_order_share`); None where an engine does not record it, as betty's does not."""
    agreement: Agreement | None
    """Agreement between the seeds; None for a single search, or where a search has equal ranks everywhere."""
    noise_mean: float | None
    """Mean rank of thresholded noise whose logits have the same spread as those of the searches; None where the
    selection variables have no spread of logits, because they are not a softmax's or one of them is not positive."""
    layer_p: float | None
    """P value of the variance of ranks between projections, compared with thresholded noise (`layer_effect`); None
    as for `noise_mean`."""
    stops: Sequence["Stop"]
    """Where each search would have stopped on convergence; empty where the results do not record it."""

    @property
    def means(self) -> list[float]:
        """Mean rank of each projection over the searches."""
        return [statistics.mean(column) for column in zip(*self.ranks, strict=True)]

    @property
    def by_block(self) -> bool:
        """Whether every role occurs equally often, as it does with one projection per role and block."""
        return len({len(means) for means in self.by_role().values()}) == 1

    def by_role(self) -> dict[str, list[float]]:
        """Role -> mean ranks in the order of the blocks; query and value first."""
        found: dict[str, list[float]] = {"query": [], "value": []}
        for role, mean in zip(self.roles, self.means, strict=True):
            found.setdefault(role, []).append(mean)
        return {role: means for role, means in found.items() if means}


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Where a search would have stopped under the default convergence criterion."""

    saved: float
    """Fraction of the search steps that would have been saved."""
    same_ranks: float
    """Fraction of the projections whose rank at that step equals their final rank."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Retraining with the learned ranks, compared with retraining with other ranks at the same seeds."""

    task: str
    title: str
    against: str
    """The ranks of the control."""
    scaling: str
    """How the retraining scales updates: "by-rank" or "constant"."""
    learned: float
    """Mean score with the learned ranks."""
    other: float
    """Mean score of the control."""
    scale: Scale
    """The scale of the scores and their difference."""
    difference: Difference | None
    """Learned less other, paired by seed; None for a single seed."""
    seeds: int
    """Number of common seeds."""
    cells: Cells
    """The cells of both sides at these seeds."""


@dataclass(frozen=True, kw_only=True)
class RankReport:
    """Analysis of all searches of one group of results."""

    tasks: Sequence[TaskRanks]
    controls: Sequence[Control]
    same_seed: float | None
    """Mean Spearman correlation of the ranks of two tasks at the same seed, that is with the same initial factors."""
    other_seed: float | None
    """Mean Spearman correlation of the ranks of two tasks at different seeds."""


def rank_report(results: Iterable[Result]) -> RankReport:
    """Analyse the finished searches and their controls."""
    results = [result for result in results if result.status == "done"]
    searches = {task: summary.results for (task, method), summary in summarise(results).items() if method == LEARNED}
    tasks = [_task_ranks(found) for found in searches.values()]
    return RankReport(
        tasks=tasks,
        controls=[control for task in searches for control in controls_of(task, results)],
        same_seed=_between_tasks(tasks, same_seed=True),
        other_seed=_between_tasks(tasks, same_seed=False),
    )


def role_of(projection: str) -> Literal["query", "value"]:
    """The role of a query or value projection by its name, for results that do not record it.

    The last part of a query's name begins or ends with "q", as in "query", "q_proj" and "wq".
    """
    last = projection.rpartition(".")[2]
    return "query" if last.startswith("q") or last.endswith("q") else "value"


def second_order_share(searches: Iterable[Result]) -> float | None:
    """Median over all records of ||eta * second-order term|| / ||direct term||; None where no engine records it."""
    shares = [record["second_order_share"] for result in searches for record in result.details["history"]]
    known = [share for share in shares if share is not None]
    return statistics.median(known) if known else None


def _task_ranks(results: Sequence[Result]) -> TaskRanks:
    first = results[0]
    projections = list(first.ranks or {})
    ranks = [[(result.ranks or {})[name] for name in projections] for result in results]
    search = first.config["method"]["search"]
    max_rank = int(search["max_rank"])
    selections = [result.details["selection"] for result in results]
    of_softmax = search.get("parameterisation", "softmax") == "softmax"
    spread = logit_spread([values for selection in selections for values in selection.values()]) if of_softmax else None
    return TaskRanks(
        task=first.task,
        title=first.task_title,
        max_rank=max_rank,
        seeds=[result.seed for result in results],
        projections=projections,
        roles=[first.details.get("roles", {}).get(name) or role_of(name) for name in projections],
        ranks=ranks,
        deviation=statistics.mean(
            abs(max_rank * value - 1) for selection in selections for values in selection.values() for value in values
        ),
        share=second_order_share(results),
        agreement=concordance(ranks),
        noise_mean=None if spread is None else float(noise_ranks(spread, max_rank, (1, NOISE_DRAWS)).mean()),
        layer_p=None if spread is None else layer_effect(ranks, spread, max_rank),
        stops=[Stop(**stop) for result in results if (stop := result.details.get("would_stop"))],
    )


def controls_of(task: str, results: Sequence[Result]) -> list[Control]:
    """Comparisons of the learned ranks with the ranks of each control, one per scaling, on one task."""
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
                        scale=learned.scale,
                        difference=paired(first, second, least_sd=learned.resolution),
                        seeds=len(seeds),
                        cells=Cells.of(chain(learned.at(seeds), other.at(seeds))),
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
