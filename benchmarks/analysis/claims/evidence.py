"""The results that claims are tested on, of one backbone, preset and protocol: scores, costs, speed, predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.analysis.resampling import Values, example_variance, resampled
from benchmarks.analysis.stats import Summary, by_column, summarise
from benchmarks.analysis.verdicts import Margin
from benchmarks.store.cost_record import CostRun
from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result
from benchmarks.store.speed_record import SpeedRun
from benchmarks.store.store import Store

DRAWS = 1000
"""Number of bootstrap draws of examples."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The results that claims are tested on."""

    results: Sequence[Result]
    """Results of one preset, protocol, backbone and kind of data."""
    store: Store
    """The store that holds their predictions."""
    costs: Sequence[CostRun]
    """Cost runs, the oldest first."""
    speeds: Sequence[SpeedRun]
    """Speed runs, the oldest first."""
    margin: Margin
    resampling: bool = True
    """Whether effects have an interval for random examples too, the slowest part of the tests; no p value needs it."""

    @cached_property
    def summaries(self) -> dict[tuple[str, str], Summary]:
        """(task, method) -> summary over seeds."""
        return summarise(self.results)

    @property
    def model(self) -> str:
        """Last part of the backbone's name."""
        return str(self.results[0].config["model"]).rpartition("/")[2]

    @property
    def model_title(self) -> str:
        """The readable name of the backbone."""
        return self.results[0].model_title

    def summaries_of(self, method: str) -> list[Summary]:
        """Summaries of a method, one per task."""
        return [summary for (_, name), summary in self.summaries.items() if name == method]

    def pair(self, column: str, method: str, other: str, table: PublishedTable) -> tuple[Summary, Summary] | None:
        """Summaries of two methods in a column of a table; None where either is missing."""
        if table.table not in self._tables:
            self._tables[table.table] = summarise(by_column(self.results, table))
        first, second = (self._tables[table.table].get((column, name)) for name in (method, other))
        return (first, second) if first and second else None

    def example_variance(self, method: Summary, other: Summary) -> float:
        """Variance over examples of the difference of two methods at common seeds (`resampling.example_variance`)."""
        seeds = common_seeds([method, other])
        return example_variance(*([self._resampled(result) for result in side.at(seeds)] for side in (method, other)))

    def predictions(self, result: Result) -> dict[str, Any]:
        """The stored predictions of a result on its headline split."""
        return dict(self.store.predictions(result)[result.split])

    def _resampled(self, result: Result) -> Values:
        """Scores of a result on resampled examples, with the same draws for all results of a task."""
        if result.identity not in self._resampled_scores:
            self._resampled_scores[result.identity] = resampled(result.metric, self.predictions(result), DRAWS)
        return self._resampled_scores[result.identity]

    @cached_property
    def _tables(self) -> dict[int | str, dict[tuple[str, str], Summary]]:
        """Cache: table number -> (column, method) -> summary."""
        return {}

    @cached_property
    def _resampled_scores(self) -> dict[str, Values]:
        """Cache: identity of a result -> its scores on resampled examples."""
        return {}


def common_seeds(summaries: Sequence[Summary]) -> list[int]:
    """Seeds that all summaries have, in ascending order; empty for no summaries."""
    return sorted(set.intersection(*(set(summary.seeds) for summary in summaries))) if summaries else []
