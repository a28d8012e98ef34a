"""Figures from result files, as PNG, PDF or SVG by the name's ending."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from benchmarks.analysis.stats import Summary, summarise
from benchmarks.report.cost_report import CostReport
from benchmarks.report.rank_report import FIGURE_3, RankReport, role_of
from benchmarks.report.tables.score_table import ScoreTable
from benchmarks.store.published import authors_ranks
from benchmarks.store.result import Result

Summaries = Mapping[tuple[str, str], Summary]

STYLE = {
    "font.size": 8,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "autolora",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLOURS = "cividis"
"""Readable for the colour-blind, and in grey."""
LOOKS = (
    ("#000000", "o", "-"),
    ("#0072b2", "s", "--"),
    ("#d55e00", "^", "-."),
    ("#009e73", "D", ":"),
    ("#cc79a7", "v", "-"),
    ("#e69f00", "P", "--"),
    ("#56b4e9", "X", "-."),
    ("#7f7f7f", "<", ":"),
    ("#5b2c83", ">", "-"),
    ("#8c564b", "*", "--"),
)
"""Colour, marker and line of one method after the other (Okabe and Ito's colours); they differ in grey, too."""
HATCHES = ("", "//", "..", "xx")
PANELS = 4
"""Beside each other."""


def rank_heatmap(report: RankReport, path: Path) -> None:
    """Figure 3: tasks and query or value as rows, blocks as columns; the authors' lists beside where there are any."""
    rows: dict[str, Sequence[float]] = {}
    for task in report.tasks:
        rows |= {f"{task.title}, {role}": ranks for role, ranks in task.by_role().items()}
    published = {
        f"{task.title}, {role}": authors_ranks()[FIGURE_3[task.task]][offset::2]
        for task in report.tasks
        if task.task in FIGURE_3
        for offset, role in enumerate(("query", "value"))
    }
    panels: list[tuple[str, Mapping[str, Sequence[float]]]] = [("measured, mean over seeds", rows)]
    if published:
        panels.append(("the authors' lists (RoBERTa-base)", published))
    largest = max(task.max_rank for task in report.tasks)
    with mpl.rc_context(STYLE):
        widths = [len(next(iter(panel.values()))) for _, panel in panels]
        figure = Figure(
            figsize=(1.8 + 0.42 * sum(widths) + 1.2 * len(panels), 0.9 + 0.34 * len(rows)), layout="constrained"
        )
        axes = figure.subplots(1, len(panels), width_ratios=widths, squeeze=False)[0]
        for axis, (title, panel) in zip(axes, panels, strict=True):
            image = _heatmap(axis, title, panel, largest)
        figure.colorbar(image, ax=list(axes), label="rank", ticks=range(largest + 1))
        _save(figure, path)


def search_course(results: Sequence[Result], path: Path) -> None:
    """The course of the searches of one task: losses, both terms, eta's share, spread and mean rank over the steps."""
    panels = ("validation loss", "norms of the terms", "eta's share", "spread of selection", "mean rank")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 2.4))
        figure.subplots_adjust(left=0.05, right=0.99, bottom=0.2, top=0.77, wspace=0.32)  # no layout to search for
        axes = dict(zip(panels, figure.subplots(1, len(panels)), strict=True))
        for result in results:
            _course(axes, result)
        for title, axis in axes.items():
            axis.set_title(title)
            axis.set_xlabel("step")
        for title in ("norms of the terms", "eta's share"):
            _make_logarithmic(axes[title])
        axes["norms of the terms"].set_title("norms: direct -, second-order ···")
        figure.suptitle(f"{results[0].task_title}, {results[0].method_title}: {len(results)} searches")
        _save(figure, path)


def rank_stability(report: RankReport, path: Path) -> None:
    """Every search's rank of every projection, the mean over seeds, and the mean rank of thresholded noise."""
    with mpl.rc_context(STYLE):
        figure, axes = _panels(len(report.tasks), height=2.1)
        for axis, task in zip(axes, report.tasks, strict=False):
            places = range(len(task.projections))
            for ranks in task.ranks:
                axis.plot(places, ranks, "o", color="black", alpha=0.3, markersize=4, markeredgewidth=0)
            axis.plot(places, task.means, "_", color="#d55e00", markersize=9, markeredgewidth=2)
            axis.axhline(task.noise_mean, color="#0072b2", linewidth=0.8, linestyle="--")
            agreement = "" if task.agreement is None else f", W = {task.agreement.w:.2f}"
            axis.set_title(f"{task.title}: {len(task.seeds)} searches{agreement}")
            axis.set_xticks(
                places, [f"{role_of(name)[0]}{1 + place // 2}" for place, name in enumerate(task.projections)]
            )
            axis.set_ylim(0, task.max_rank + 0.5)
        figure.supylabel("rank")
        _save(figure, path)


def learning_curves(results: Sequence[Result], path: Path) -> None:
    """Scores after every epoch, the mean over seeds, method by method."""
    summaries = summarise(result for result in results if result.curve)
    with mpl.rc_context(STYLE):
        figure, panels = _task_panels(summaries)
        for (task, method), summary in summaries.items():
            epochs = sorted(map(int, summary.results[0].curve))
            known = [
                (epoch, mean(scores))
                for epoch in epochs
                if (scores := [score for each in summary.results if (score := _after(each, epoch)) is not None])
            ]
            colour, marker, line = _look(method, summaries)
            points: Sequence[Sequence[float]] = list(zip(*known, strict=True)) or [[], []]
            panels[task].plot(*points, line, marker=marker, color=colour, markersize=3, linewidth=1)
        figure.supxlabel("epochs")
        _legend(figure, summaries)
        _save(figure, path)


def cost_against_score(results: Sequence[Result], path: Path) -> None:
    """Seconds of training and of everything before it, and the score that they buy; means over seeds."""
    summaries = summarise(results)
    with mpl.rc_context(STYLE):
        figure, panels = _task_panels(summaries)
        for (task, method), summary in summaries.items():
            seconds = mean(
                sum(each.seconds.get(stage, 0.0) for stage in ("search", "choose", "train")) for each in summary.results
            )
            colour, marker, _ = _look(method, summaries)
            panels[task].errorbar(
                [seconds], [summary.mean], yerr=summary.sd, fmt=marker, color=colour, markersize=5, elinewidth=0.8
            )
        for axis in panels.values():
            axis.set_xlim(left=0)
        figure.supxlabel("seconds of training, search included")
        _legend(figure, summaries)
        _save(figure, path)


def score_bars(table: ScoreTable, path: Path) -> None:
    """Methods beside each other on every task, as in Figure 2; what is published stands as a line where it is known."""
    width = 0.8 / max(1, len(table.rows))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.6 + 1.4 * len(table.columns), 2.6), layout="constrained")
        axis = figure.subplots()
        for number, row in enumerate(table.rows):
            cells = {place: row.cells[task] for place, task in enumerate(table.columns) if task in row.cells}
            heights = {place: cell.measured for place, cell in cells.items() if cell.measured is not None}
            shift = (number - (len(table.rows) - 1) / 2) * width
            colour, _, _ = LOOKS[number % len(LOOKS)]
            axis.bar(
                [place + shift for place in heights],
                list(heights.values()),
                0.9 * width,
                yerr=[cells[place].sd or 0.0 for place in heights],
                color=colour,
                hatch=HATCHES[number % len(HATCHES)],
                label=row.title,
            )
            for place, cell in cells.items():
                if cell.published is not None:
                    left = place + shift - width / 2
                    axis.hlines(cell.published, left, left + width, color="black", linewidth=1.5)
        axis.set_xticks(range(len(table.columns)), list(table.columns.values()))
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        _save(figure, path)


def cost_bars(report: CostReport, path: Path) -> None:
    """Training time in multiples of the reference's, measured with its range over rounds, and published."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 0.6 + 0.4 * len(report.rows)), layout="constrained")
        axis = figure.subplots()
        for place, row in enumerate(report.rows):
            average = row.average
            error = [[average.median - average.low], [average.high - average.median]]
            axis.barh(place, average.median, 0.6, xerr=error, color="#56b4e9", label="measured" if not place else None)
            if row.published is not None:
                axis.plot([row.published], [place], "D", color="black", label="paper" if not place else None)
        axis.set_yticks(range(len(report.rows)), [row.title for row in report.rows])
        axis.invert_yaxis()
        axis.set_xlabel("training time, multiples of AdaLoRA's")
        axis.legend(frameon=False)
        _save(figure, path)


def growth_curves(growth: Mapping[str, Any], path: Path) -> None:
    """How a step's time grows along each axis, with the arithmetic floor; both scales logarithmic."""
    panels = list(dict.fromkeys(point["axis"] for point in growth["points"]))
    looks = {"LoRA": ("o", "black"), "search": ("s", "tab:blue")}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 2.7), layout="constrained")
        for axis, title in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
            for kind, (marker, colour) in looks.items():
                points = [point for point in growth["points"] if (point["axis"], point["kind"]) == (title, kind)]
                values = [point["value"] for point in points]
                times = [1e3 * point["step_seconds"] for point in points]
                floors = [1e3 * point["floor_seconds"] for point in points]
                axis.plot(values, times, marker=marker, color=colour, markersize=4, linewidth=1, label=kind)
                axis.plot(values, floors, ":", color=colour, linewidth=1, label=f"{kind}, floor")
            axis.set_xscale("log", base=2)
            _make_logarithmic(axis)
            axis.set_xticks(values, [str(value) for value in values])
            axis.set_xlabel(title)
        figure.axes[0].set_ylabel("milliseconds per step")
        figure.axes[0].legend(frameon=False)
        where = growth["environment"]
        figure.suptitle(
            f"{growth['model_title']}, {where['device_name']}, {where['threads']} threads, {where['precision']}"
        )
        _save(figure, path)


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    rows = -(-count // PANELS)
    columns = min(count, PANELS)
    figure = Figure(figsize=(2.9 * columns, height * rows + 0.4), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes


def _task_panels(summaries: Summaries) -> tuple[Figure, dict[str, Axes]]:
    titles = {task: summary.results[0] for (task, _), summary in summaries.items()}
    figure, axes = _panels(len(titles), height=2.2)
    panels = dict(zip(titles, axes, strict=False))
    for task, axis in panels.items():
        axis.set_title(f"{titles[task].task_title}, {titles[task].metric}")
    return figure, panels


def _look(method: str, summaries: Summaries) -> tuple[str, str, str]:
    methods = list(dict.fromkeys(name for _, name in summaries))
    return LOOKS[methods.index(method) % len(LOOKS)]


def _make_logarithmic(axis: Axes) -> None:
    """Scale upwards by powers, told as numbers: formulas are not parsed, so that no title can be one."""
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, summaries: Summaries) -> None:
    titles = {method: summary.results[0].method_title for (_, method), summary in summaries.items()}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=line, markersize=4, label=title)
        for method, title in titles.items()
        for colour, marker, line in [_look(method, summaries)]
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False)


def _after(result: Result, epoch: int) -> float | None:
    return result.curve.get(str(epoch), {}).get(result.split, {}).get(result.metric)


def _course(axes: dict[str, Axes], result: Result) -> None:
    history = result.details["history"]
    steps = [record["step"] for record in history]
    thin: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.8}
    axes["validation loss"].plot(steps, [record["valid_loss"] for record in history], **thin)
    for name, style in (("direct_norm", "-"), ("second_order_norm", ":")):
        values = [record.get(name) for record in history]
        if all(values):
            axes["norms of the terms"].plot(
                steps,
                values,
                style,
                color="black" if style == "-" else "tab:orange",
                **thin,
            )
    shares = [record["second_order_share"] for record in history]
    if all(shares):
        axes["eta's share"].plot(steps, shares, **thin)
    axes["spread of selection"].plot(steps, [mean(record["spread"].values()) for record in history], **thin)
    axes["mean rank"].plot(steps, [mean(record["ranks"].values()) for record in history], **thin)


def _heatmap(axis: Axes, title: str, rows: Mapping[str, Sequence[float]], largest: int) -> AxesImage:
    values = list(rows.values())
    digits = 0 if all(float(value).is_integer() for row in values for value in row) else 1
    image = axis.imshow(values, cmap=COLOURS, vmin=0, vmax=largest, aspect="auto")
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            axis.text(
                x, y, f"{value:.{digits}f}", ha="center", va="center", color="white" if value < largest / 2 else "black"
            )
    axis.set_xticks(range(len(values[0])), [str(index + 1) for index in range(len(values[0]))])
    axis.set_yticks(range(len(rows)), list(rows))
    axis.set_xlabel("block")
    axis.set_title(title)
    axis.spines[:].set_visible(b=False)
    return image


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
