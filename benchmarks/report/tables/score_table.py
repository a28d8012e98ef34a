"""A table of scores in the paper's layout, from results: methods x tasks, measured and published scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.stats import Summary, by_column, groups, summarise
from benchmarks.report.tables.marks import MARK, REMARK, marked
from benchmarks.report.tables.remarks import remarks
from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result


@dataclass(frozen=True, kw_only=True)
class TableScore:
    """Score of one method on one task: the mean over seeds, beside the published score."""

    measured: float | None
    """Mean over seeds; None where all seeds failed."""
    sd: float | None
    """Sample standard deviation over seeds; None for a single seed."""
    seeds: Sequence[int]
    collapsed: int | None = None
    """Number of the cells that have collapsed; None where no result records it."""
    published: float | None
    mark: str = ""
    """MARK if the score differs significantly from AutoLoRA's, else empty."""

    @property
    def difference(self) -> float | None:
        """Measured minus published."""
        return None if self.measured is None or self.published is None else self.measured - self.published


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """Scores of one method."""

    method: str
    title: str
    parameters: float | None
    """Trainable parameters without the head, the mean over the results of the row."""
    published_parameters: float | None
    cells: Mapping[str, TableScore]
    """Task -> cell; tasks that were not run are missing."""
    average: TableScore | None
    """Mean over the published tasks; None where a task is missing or the paper prints no averages."""


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """Scores of one preset, protocol, backbone and kind of data."""

    title: str
    columns: Mapping[str, str]
    """Task -> title."""
    decimals: Mapping[str, int]
    """Task -> number of decimals of its scores."""
    rows: Sequence[ScoreRow]
    remarks: Sequence[str]
    """Sentences below the table."""


def score_tables(results: Iterable[Result], published: PublishedTable) -> list[ScoreTable]:
    """One table per preset, protocol, backbone and kind of data, the newest group last."""
    return [_table(by_column(group, published), published) for group in groups(results)]


def _table(results: Sequence[Result], published: PublishedTable) -> ScoreTable:
    summaries = summarise(results)
    shown = [result for summary in summaries.values() for result in summary.results]
    failed = [result for result in results if result.status == "failed"]
    titles = {result.task: result.task_title for result in results}
    methods = {result.method: result.method_title for result in results}
    cells = _cells(summaries, failed, published)
    columns = {task: title for task, title in (published.columns | titles).items() if task in titles}  # type: ignore[operator]
    newest = max(results, key=lambda result: result.finished)
    return ScoreTable(
        title=f"{published.name}, {published.title}; here {newest.model_title}, preset {newest.preset}, "
        f"protocol {newest.protocol}",
        columns=columns,
        decimals={result.task: result.scale.decimals for result in results},
        rows=[
            _row(
                method,
                title=methods[method],
                cells={task: cell for (task, name), cell in cells.items() if name == method},
                results=[result for result in shown if result.method == method],
                published=published,
            )
            for method in sorted(methods, key=lambda method: _order(method, published))
        ],
        remarks=[
            *remarks(shown or results, failed, summaries, published),
            *([REMARK] if any(cell.mark for cell in cells.values()) else []),
        ],
    )


def _order(method: str, published: PublishedTable) -> tuple[int, str]:
    """Sort key: methods of the paper in its order, then other methods by name."""
    order = published.shown
    return (order.index(method) if method in order else len(order), method)


def _cells(
    summaries: Mapping[tuple[str, str], Summary], failed: Sequence[Result], published: PublishedTable
) -> dict[tuple[str, str], TableScore]:
    """(task, method) -> cell."""

    def score(task: str, method: str) -> float | None:
        row = published.row(method)
        return row.scores.get(task) if row else None

    differing = marked(summaries)
    failures = {
        (result.task, result.method): TableScore(
            measured=None, sd=None, seeds=(), published=score(result.task, result.method)
        )
        for result in failed
    }
    return failures | {
        pair: TableScore(
            measured=summary.mean,
            sd=summary.sd,
            seeds=summary.seeds,
            collapsed=summary.collapsed,
            published=score(*pair),
            mark=MARK if pair in differing else "",
        )
        for pair, summary in summaries.items()
    }


def _row(
    method: str, title: str, cells: Mapping[str, TableScore], results: Sequence[Result], published: PublishedTable
) -> ScoreRow:
    published_row = published.row(method)
    counts = [result.trainable_parameters for result in results if result.trainable_parameters is not None]
    measured = [cell.measured for task in published.columns if (cell := cells.get(task)) and cell.measured is not None]
    averaged = any(row.average is not None for row in published.rows)
    complete = averaged and len(measured) == len(published.columns)
    average = (
        TableScore(
            measured=mean(measured),
            sd=None,
            seeds=(),
            collapsed=Cells.of(result for result in results if result.task in published.columns).collapsed,
            published=published_row.average if published_row else None,
        )
        if complete
        else None
    )
    return ScoreRow(
        method=method,
        title=published_row.title if published_row else title,
        parameters=mean(counts) if counts else None,
        published_parameters=published_row.parameters if published_row else None,
        cells=cells,
        average=average,
    )
