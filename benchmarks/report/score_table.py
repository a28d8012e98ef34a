"""A table of scores in the paper's layout, made of result files: methods x tasks, measured beside published."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.published import PublishedTable
from benchmarks.report.remarks import remarks
from benchmarks.result import Result
from benchmarks.stats import Summary, by_column, groups, summarise


@dataclass(frozen=True, kw_only=True)
class ScoreCell:
    """One method on one task."""

    measured: float | None
    """Mean over seeds; None where the cell failed in all of them."""
    sd: float | None
    seeds: Sequence[int]
    published: float | None

    @property
    def difference(self) -> float | None:
        """Measured minus published."""
        return None if self.measured is None or self.published is None else self.measured - self.published


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One method."""

    method: str
    title: str
    parameters: float | None
    """Trainable ones, head left out; the mean over the row's results."""
    published_parameters: float | None
    cells: Mapping[str, ScoreCell]
    """Task -> cell; tasks that were not run are missing."""
    average: ScoreCell | None
    """Over the published tasks; None where one of them is missing."""


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """What a report shows of one backbone on one kind of data."""

    title: str
    columns: Mapping[str, str]
    """Task -> title."""
    decimals: Mapping[str, int]
    """Task -> decimals shown, where it is not one."""
    rows: Sequence[ScoreRow]
    remarks: Sequence[str]
    """What a reader must know, in sentences."""


def score_tables(results: Iterable[Result], published: PublishedTable) -> list[ScoreTable]:
    """One table per preset, protocol, backbone and kind of data, the newest last."""
    return [_table(by_column(group, published), published) for group in groups(results)]


def _table(results: Sequence[Result], published: PublishedTable) -> ScoreTable:
    summaries = summarise(results)
    shown = [result for summary in summaries.values() for result in summary.results]
    failed = [result for result in results if result.status == "failed"]
    titles = {result.task: result.task_title for result in results}
    methods = {result.method: result.method_title for result in results}
    columns = {task: title for task, title in (published.columns | titles).items() if task in titles}  # type: ignore[operator]
    newest = max(results, key=lambda result: result.finished)
    return ScoreTable(
        title=f"{published.name}, {published.title}; here {newest.model_title}, preset {newest.preset}, "
        f"protocol {newest.protocol}",
        columns=columns,
        decimals=published.decimals,
        rows=[
            _row(method, methods[method], summaries, failed, published)
            for method in sorted(methods, key=lambda method: _place(method, published))
        ],
        remarks=remarks(shown or results, failed, summaries, published),
    )


def _place(method: str, published: PublishedTable) -> tuple[int, str]:
    order = [*(row.method for row in published.rows), *published.also]
    return (order.index(method) if method in order else len(order), method)


def _row(
    method: str,
    title: str,
    summaries: Mapping[tuple[str, str], Summary],
    failed: Sequence[Result],
    published: PublishedTable,
) -> ScoreRow:
    known = published.row(method)
    scores = known.scores if known else {}
    cells = {
        result.task: ScoreCell(measured=None, sd=None, seeds=(), published=scores.get(result.task))
        for result in failed
        if result.method == method
    }
    mine = {task: summary for (task, name), summary in summaries.items() if name == method}
    for task, summary in mine.items():
        cells[task] = ScoreCell(measured=summary.mean, sd=summary.sd, seeds=summary.seeds, published=scores.get(task))
    counts = [
        result.trainable_parameters
        for summary in mine.values()
        for result in summary.results
        if result.trainable_parameters is not None
    ]
    measured = [cell.measured for task in published.columns if (cell := cells.get(task)) and cell.measured is not None]
    averaged = any(row.average is not None for row in published.rows)
    complete = averaged and len(measured) == len(published.columns)
    average = (
        ScoreCell(measured=mean(measured), sd=None, seeds=(), published=known.average if known else None)
        if complete
        else None
    )
    return ScoreRow(
        method=method,
        title=known.title if known else title,
        parameters=mean(counts) if counts else None,
        published_parameters=known.parameters if known else None,
        cells=cells,
        average=average,
    )
