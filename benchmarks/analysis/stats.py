"""Several seeds' results as one number with its spread; what differs in more than the seed is kept apart."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One task and method: results of the same configuration on the same environment, one per seed."""

    results: Sequence[Result]
    """All with a score, ordered by seed."""
    older: int = 0
    """Other configurations or environments that were at hand and are left out."""

    @property
    def seeds(self) -> list[int]:
        """Whose scores are averaged."""
        return [result.seed for result in self.results]

    @property
    def mean(self) -> float:
        """Of the headline metric."""
        return statistics.mean(self.scores)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; None for a single one."""
        return statistics.stdev(self.scores) if len(self.results) > 1 else None

    @property
    def scores(self) -> list[float]:
        """Of the seeds, in their order."""
        return [result.score for result in self.results if result.score is not None]

    @property
    def resolution(self) -> float:
        """Points that one example weighs."""
        return self.results[0].resolution

    def of_seed(self, seed: int) -> float:
        """One seed's score. Raises ValueError: it is not among them."""
        return self.scores[self.seeds.index(seed)]


def summarise(results: Iterable[Result]) -> dict[tuple[str, str], Summary]:
    """(task, method) -> the newest configuration's summary; results without a score count for nothing."""
    groups: dict[tuple[str, str], dict[tuple[str, str], list[Result]]] = {}
    for result in results:
        if result.status == "done" and result.score is not None:
            alike = groups.setdefault((result.task, result.method), {})
            alike.setdefault((result.configuration, result.environment.key), []).append(result)
    return {pair: _newest(alike) for pair, alike in groups.items()}


def by_column(results: Iterable[Result], published: PublishedTable) -> list[Result]:
    """Results as a table shows them: a column stands for its task, with the column's metric as its score.

    Results of tasks that the table does not have stay as they are.
    """
    measured = {column: published.measures.get(column) for column in published.columns}
    shown = []
    for result in results:
        columns = {column: found[1] for column, found in measured.items() if found and found[0] == result.task}
        shown += [
            replace(result, task=column, task_title=published.columns[column], metric=metric)
            for column, metric in columns.items()
        ] or [result]
    return shown


def resolution_of_mean(summaries: Sequence[Summary]) -> float:
    """Points that one example of each task weighs in the mean over tasks."""
    return math.hypot(*(summary.resolution for summary in summaries)) / len(summaries)


def groups(results: Iterable[Result]) -> list[list[Result]]:
    """Results that belong into one table: of one preset, protocol, backbone and kind of data; the newest group last."""
    found: dict[tuple[str, ...], list[Result]] = {}
    for result in sorted(results, key=lambda result: result.finished):
        key = (result.preset, result.protocol, result.model_title, result.data_source.split()[0])
        found[key] = [*found.pop(key, []), result]
    return list(found.values())


def _newest(alike: Mapping[tuple[str, str], list[Result]]) -> Summary:
    newest = max(alike.values(), key=lambda group: max(result.finished for result in group))
    return Summary(results=sorted(newest, key=lambda result: result.seed), older=len(alike) - 1)
