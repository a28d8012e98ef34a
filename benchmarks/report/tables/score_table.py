"""A table of scores in the paper's layout, made of result files: methods x tasks, measured beside published."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.analysis.stats import Summary, by_column, groups, summarise
from benchmarks.report.tables.marks import MARK, REMARK, marked
from benchmarks.report.tables.remarks import remarks
from benchmarks.store.published import PublishedTable
from benchmarks.store.result import Result


@dataclass(frozen=True, kw_only=True)
class ScoreCell:
    """One method on one task."""

    measured: float | None
    """Mean over seeds; None where the cell failed in all of them."""
    sd: float | None
    seeds: Sequence[int]
    published: float | None
    mark: str = ""
    """That it differs from AutoLoRA's."""

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
    cells = _cells(summaries, failed, published)
    columns = {task: title for task, title in (published.columns | titles).items() if task in titles}  # type: ignore[operator]
    newest = max(results, key=lambda result: result.finished)
    return ScoreTable(
        title=f"{published.name}, {published.title}; here {newest.model_title}, preset {newest.preset}, "
        f"protocol {newest.protocol}",
        columns=columns,
        decimals=published.decimals,
        rows=[
            _row(
                method,
                title=methods[method],
                cells={task: cell for (task, name), cell in cells.items() if name == method},
                results=[result for result in shown if result.method == method],
                published=published,
            )
            for method in sorted(methods, key=lambda method: _place(method, published))
        ],
        remarks=[
            *remarks(shown or results, failed, summaries, published),
            *([REMARK] if any(cell.mark for cell in cells.values()) else []),
        ],
    )


def _place(method: str, published: PublishedTable) -> tuple[int, str]:
    order = published.shown
    return (order.index(method) if method in order else len(order), method)


def _cells(
    summaries: Mapping[tuple[str, str], Summary], failed: Sequence[Result], published: PublishedTable
) -> dict[tuple[str, str], ScoreCell]:
    """(task, method) -> cell."""

    def score(task: str, method: str) -> float | None:
        row = published.row(method)
        return row.scores.get(task) if row else None

    differing = marked(summaries)
    nothing = {
        (result.task, result.method): ScoreCell(
            measured=None, sd=None, seeds=(), published=score(result.task, result.method)
        )
        for result in failed
    }
    return nothing | {
        pair: ScoreCell(
            measured=summary.mean,
            sd=summary.sd,
            seeds=summary.seeds,
            published=score(*pair),
            mark=MARK if pair in differing else "",
        )
        for pair, summary in summaries.items()
    }


def _row(
    method: str, title: str, cells: Mapping[str, ScoreCell], results: Sequence[Result], published: PublishedTable
) -> ScoreRow:
    known = published.row(method)
    counts = [result.trainable_parameters for result in results if result.trainable_parameters is not None]
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
