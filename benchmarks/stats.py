"""Several seeds' results as one number with its spread; what differs in more than the seed is kept apart."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.result import Result


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
        return statistics.mean(self._scores)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds; None for a single one."""
        return statistics.stdev(self._scores) if len(self.results) > 1 else None

    @property
    def _scores(self) -> list[float]:
        return [result.score for result in self.results if result.score is not None]


def summarise(results: Iterable[Result]) -> dict[tuple[str, str], Summary]:
    """(task, method) -> the newest configuration's summary; results without a score count for nothing."""
    groups: dict[tuple[str, str], dict[tuple[str, str], list[Result]]] = {}
    for result in results:
        if result.status == "done" and result.score is not None:
            alike = groups.setdefault((result.task, result.method), {})
            alike.setdefault((result.configuration, result.environment.key), []).append(result)
    return {pair: _newest(alike) for pair, alike in groups.items()}


def _newest(alike: Mapping[tuple[str, str], list[Result]]) -> Summary:
    newest = max(alike.values(), key=lambda group: max(result.finished for result in group))
    return Summary(results=sorted(newest, key=lambda result: result.seed), older=len(alike) - 1)
