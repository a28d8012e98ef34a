"""The content of the page: every report that result files give, as one dataclass for the template."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.analysis.audit.finding import Finding
from benchmarks.analysis.audit.run import audit
from benchmarks.analysis.claims.run import ExaminedClaims
from benchmarks.analysis.stats import by_column, summarise
from benchmarks.analysis.verdicts import Verdict
from benchmarks.report.cell_report import cell_report
from benchmarks.report.cost_report import cost_grids, cost_report
from benchmarks.report.findings.collect import findings
from benchmarks.report.findings.statement import Statement
from benchmarks.report.page.figures import Drawings, Picture, drawings, drawn_in_background
from benchmarks.report.part import Part, other_cost_runs, parts_in
from benchmarks.report.protocol_report import protocol_grid, protocol_rows
from benchmarks.report.rank_tables import rank_grids
from benchmarks.report.speed_report import speed_grids
from benchmarks.report.tables import score_table
from benchmarks.report.tables.grid import Grid
from benchmarks.report.tables.score_table import ScoreTable
from benchmarks.report.verdict_report import best_verdicts, verdict_grid
from benchmarks.store.comparability import incomparable
from benchmarks.store.published import PublishedTable, published_figure, published_table, shown_tables
from benchmarks.store.result import Result
from benchmarks.store.speed_record import speed_runs
from benchmarks.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Section:
    """The section of the page about one part."""

    name: str
    """Identifier of the section in the page."""
    title: str
    tables: Sequence[ScoreTable]
    grids: Sequence[Grid]
    """Tables of costs and ranks."""
    verdicts: Grid
    claims: ExaminedClaims


@dataclass(frozen=True, kw_only=True)
class Page:
    """The content of the whole page."""

    findings: Sequence[Statement]
    """What the results say, in sentences."""
    verdicts: Mapping[Verdict, int]
    """Verdict -> number of published numbers, each counted once with the first of its verdicts in `VERDICTS`."""
    results: int
    """Number of result files."""
    sections: Sequence[Section]
    pictures: Mapping[str, Sequence[Picture]]
    """Name of a section -> its pictures."""
    costs: Sequence[Grid]
    """Cost tables of backbones that have no section."""
    speed: Sequence[Grid]
    protocols: Grid
    audit: Sequence[Finding]
    environments: Grid
    cells: Mapping[str, Sequence[Mapping[str, Any]]]
    """SECTION/METHOD/COLUMN -> the details of a cell, one report per seed."""
    settings: Mapping[str, Mapping[str, str]]
    """Configuration -> its settings, shared by all seeds."""


def page_content(folder: Path) -> Page:
    """Collect the content from a folder of results, or a folder with one store per preset.

    Sections on real data come first, then sections with more results.

    Raises:
        InputError: the folder holds no results.
    """
    parts = parts_in(folder)
    named = {part.name: part for part in parts}
    results = [result for part in parts for result in part.results]
    with drawn_in_background([drawings_of(part) for part in parts]) as pictures_of_parts:  # the slowest work
        sections = [_section(part) for part in parts]
        pictures = dict(zip(named, pictures_of_parts(), strict=True))
    return Page(
        findings=findings(parts, folder),
        verdicts=best_verdicts(part.judged for part in parts),
        results=len(results),
        sections=sections,
        pictures=pictures,
        costs=_costs_alone(folder, parts),
        speed=speed_grids(speed_runs(folder)),
        protocols=_protocols(parts),
        audit=audit(),
        environments=_environments(results),
        cells=dict(chain.from_iterable(map(_cells, parts))),
        settings={
            result.configuration: cell_report(result, Path()).settings
            for result in sorted(results, key=lambda result: -result.seed)
        },
    )


def drawings_of(part: Part) -> Drawings:
    """All figures of a part."""
    return drawings(part.results, part.ranks, part.costs, _tables(part.results, published_figure(2)))


def _section(part: Part) -> Section:
    grids = [*chain.from_iterable(map(cost_grids, part.costs)), *(rank_grids(part.ranks) if part.ranks.tasks else [])]
    return Section(
        name=part.name,
        title=part.title,
        tables=[table for each in (*shown_tables(), published_figure(2)) for table in _tables(part.results, each)],
        grids=[grid for grid in grids if grid.rows],
        verdicts=verdict_grid(part.judged, part.evidence.margin),
        claims=part.claims,
    )


def _costs_alone(folder: Path, parts: Sequence[Part]) -> list[Grid]:
    """Tables of all cost runs that belong to no part."""
    reports = [cost_report(run, published_table(5)) for run in other_cost_runs(folder, parts)]
    return [grid for report in reports for grid in cost_grids(report) if grid.rows]


def _tables(group: Sequence[Result], published: PublishedTable) -> list[ScoreTable]:
    """One of the paper's tables if at least two of its methods were run; a figure only on the paper's backbone."""
    shown = [result for result in group if result.task in published.tasks and result.method in published.shown]
    if len({result.method for result in shown}) < 2:
        return []
    comparable = published.kind == "Table" or not incomparable(shown, published)
    return score_table.score_tables(shown, published) if comparable else []


def _cells(part: Part) -> list[tuple[str, list[dict[str, Any]]]]:
    """SECTION/METHOD/COLUMN and details, one pair per cell of a section's tables."""
    cells = {}
    for table in shown_tables():
        for (column, method), summary in summarise(by_column(part.results, table)).items():
            cells[f"{part.name}/{method}/{column}"] = [_details(result, part.store) for result in summary.results]
    return list(cells.items())


def _details(result: Result, store: Store) -> dict[str, Any]:
    report = cell_report(result, store.folder_of(result).path)
    return {
        "seed": result.seed,
        "score": result.score,
        "metrics": report.metrics,
        "curve": {epoch: scores.get(result.metric) for epoch, scores in report.curve.items()},
        "ranks": report.ranks,
        "seconds": report.seconds,
        "facts": report.facts,
        "configuration": result.configuration,
        "repeat": report.repeat,
    }


def _protocols(parts: Sequence[Part]) -> Grid:
    by_store: dict[Path, list[Result]] = {}
    for part in parts:
        by_store.setdefault(part.store.folder, []).extend(part.results)
    rows = [
        row for folder, results in by_store.items() for row in protocol_rows(results, Store(folder=folder).predictions)
    ]
    return protocol_grid(rows)


def _environments(results: Sequence[Result]) -> Grid:
    counts = Counter(
        (
            where.machine,
            str(where.threads),
            where.precision,
            where.packages["torch"],
            where.packages.get("transformers", "-"),
            where.packages.get("peft", "-"),
            where.python,
            (where.commit or "unknown")[:12] + ("" if where.clean else " (changed)"),
        )
        for where in (result.environment for result in results)
    )
    headers = ("Device", "Threads", "Precision", "torch", "transformers", "peft", "Python", "Commit", "Results")
    return Grid(headers=headers, rows=[(*where, str(count)) for where, count in counts.items()])
