"""Mean and spread over seeds; results that differ in more than the seed are never averaged."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.analysis.collapse import Cells
from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result
from benchmarks.tasks.metrics.scales import Scale


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Results of one task and method with the same configuration and environment, one per seed."""

    results: Sequence[Result]
    """Results that have a score, ordered by seed."""
    older: int = 0
    """Number of older configurations or environments of the same task and method, which are left out."""

    @property
    def seeds(self) -> list[int]:
        """The seeds whose scores are averaged."""
        return [result.seed for result in self.results]

    @property
    def mean(self) -> float:
        """Mean of the headline metric over seeds."""
        return statistics.mean(self.scores)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; None for a single seed."""
        return statistics.stdev(self.scores) if len(self.results) > 1 else None

    @property
    def scores(self) -> list[float]:
        """The headline metric of each seed, in the order of the seeds."""
        return [result.score for result in self.results if result.score is not None]

    @property
    def collapsed(self) -> int | None:
        """Number of the cells that have collapsed; None where no result records it."""
        return Cells.of(self.results).collapsed

    @property
    def scale(self) -> Scale:
        """The scale of the scores."""
        return self.results[0].scale

    @property
    def resolution(self) -> float:
        """Difference by which one example changes the score, on the score's scale."""
        return self.results[0].resolution

    def at(self, seeds: Sequence[int]) -> list[Result]:
        """The results of these seeds, in their order. Raises ValueError: there is no result of a seed."""
        return [self.results[self.seeds.index(seed)] for seed in seeds]

    def of_seed(self, seed: int) -> float:
        """The score of one seed. Raises ValueError: there is no result of this seed."""
        return self.scores[self.seeds.index(seed)]


def summarise(results: Iterable[Result]) -> dict[tuple[str, str], Summary]:
    """(task, method) -> summary of the newest configuration; results without a score are ignored."""
    by_pair: dict[tuple[str, str], dict[tuple[str, str], list[Result]]] = {}
    for result in results:
        if result.status == "done" and result.score is not None:
            by_configuration = by_pair.setdefault((result.task, result.method), {})
            by_configuration.setdefault((result.configuration, result.environment.key), []).append(result)
    return {pair: _newest(by_configuration) for pair, by_configuration in by_pair.items()}


def by_column(results: Iterable[Result], published: PublishedTable) -> list[Result]:
    """Copy each result once per column of its task, with the column as its task and the column's metric as its score.

    Results of tasks that the table does not have are returned unchanged.
    """
    task_and_metric = {column: published.measures.get(column) for column in published.columns}
    shown = []
    for result in results:
        metrics = {column: pair[1] for column, pair in task_and_metric.items() if pair and pair[0] == result.task}
        shown += [
            replace(result, task=column, task_title=published.columns[column], metric=metric)
            for column, metric in metrics.items()
        ] or [result]
    return shown


def resolution_of_mean(summaries: Sequence[Summary]) -> float:
    """Difference by which one example of each task changes the mean over tasks, added in quadrature; all on one scale."""
    return math.hypot(*(summary.resolution for summary in summaries)) / len(summaries)


def groups(results: Iterable[Result]) -> list[list[Result]]:
    """Group results by preset, protocol, backbone and kind of data, the newest last; one table shows one group."""
    by_key: dict[tuple[str, ...], list[Result]] = {}
    for result in sorted(results, key=lambda result: result.finished):
        key = (result.preset, result.protocol, result.model_title, result.data_source.split()[0])
        by_key[key] = [*by_key.pop(key, []), result]  # moved to the end: the newest result seen so far
    return list(by_key.values())


def _newest(by_configuration: Mapping[tuple[str, str], list[Result]]) -> Summary:
    newest = max(by_configuration.values(), key=lambda group: max(result.finished for result in group))
    return Summary(results=sorted(newest, key=lambda result: result.seed), older=len(by_configuration) - 1)
