"""One set of results, of one backbone, preset, protocol and kind of data, with what reports compute of it once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.analysis.claims.claim import read_claims
from benchmarks.analysis.claims.evidence import Evidence
from benchmarks.analysis.claims.run import ExaminedClaims, examine_claims
from benchmarks.analysis.stats import groups
from benchmarks.core.protocols import DEFAULT
from benchmarks.report.cost_report import CostReport, cost_report
from benchmarks.report.rank_report import RankReport, rank_report
from benchmarks.report.verdict_report import Judged, judge
from benchmarks.store.cost_record import CostRun, cost_runs, cost_runs_like
from benchmarks.store.published import published_table, score_tables
from benchmarks.store.result import Result
from benchmarks.store.speed_record import speed_runs_like
from benchmarks.store.store import Store, stores_in


@dataclass(frozen=True, kw_only=True)
class Part:
    """The results of one backbone, preset, protocol and kind of data."""

    name: str
    """Identifier of its section in the page."""
    results: Sequence[Result]
    store: Store
    """The store that holds the results."""
    resampling: bool = True
    """As in `Evidence`."""

    @cached_property
    def newest(self) -> Result:
        """The result that was finished last."""
        return max(self.results, key=lambda result: result.finished)

    @property
    def title(self) -> str:
        """Backbone, preset, protocol and data."""
        newest = self.newest
        data = newest.data_source.split()[0]
        return f"{newest.model_title}, preset {newest.preset}, protocol {newest.protocol}, data {data}"

    @property
    def label(self) -> str:
        """Backbone, preset, the protocol where it is not the default, and whether the data are generated, for sentences."""
        newest = self.newest
        protocol = "" if newest.protocol == DEFAULT else f", protocol {newest.protocol}"
        data = "generated" if newest.data_source.startswith("embedded") else "real"
        return f"{newest.model_title}, preset {newest.preset}{protocol}, {data} data"

    @cached_property
    def cost_runs(self) -> list[CostRun]:
        """Cost runs of its preset and backbone, the oldest first."""
        return cost_runs_like(self.store.folder, self.newest)

    @cached_property
    def evidence(self) -> Evidence:
        """What claims are tested on."""
        return Evidence(
            results=self.results,
            store=self.store,
            costs=self.cost_runs,
            speeds=speed_runs_like(self.store.folder, self.newest),
            margin=read_claims().margin,
            resampling=self.resampling,
        )

    @cached_property
    def claims(self) -> ExaminedClaims:
        """The paper's claims, tested."""
        return examine_claims(read_claims(), self.evidence)

    @cached_property
    def judged(self) -> Judged:
        """Verdicts on the published scores."""
        return judge(self.results, [published_table(number) for number in score_tables()], self.evidence.margin)

    @cached_property
    def ranks(self) -> RankReport:
        """Analysis of its searches."""
        return rank_report(self.results)

    @cached_property
    def costs(self) -> list[CostReport]:
        """Report of the newest cost run of its preset and backbone; empty where there is none."""
        return [cost_report(run, published_table(5)) for run in self.cost_runs[-1:]]


def parts_in(folder: Path, *, resampling: bool = True) -> list[Part]:
    """All parts in a folder of results, or a folder with one store per preset: real data first, then more results first.

    Raises:
        InputError: the folder holds no results.
    """
    found = [(group, store) for store in stores_in(folder) for group in groups(store.results())]
    found.sort(key=lambda each: (each[0][0].data_source.startswith("embedded"), -len(each[0])))
    return [
        Part(name=f"s{place}", results=group, store=store, resampling=resampling)
        for place, (group, store) in enumerate(found)
    ]


def other_cost_runs(folder: Path, parts: Sequence[Part]) -> list[CostRun]:
    """All cost runs of the folder and its stores that belong to no part."""
    known = [run for part in parts for run in part.cost_runs]
    return [run for place in (folder, *sorted(folder.glob("*"))) for run in cost_runs(place) if run not in known]
