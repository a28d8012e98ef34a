"""Figures from result files, as PNG, PDF or SVG by the name's ending."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from benchmarks.published import authors_ranks
from benchmarks.report.rank_report import FIGURE_3, RankReport
from benchmarks.result import Result

STYLE = {
    "font.size": 8,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLOURS = "cividis"
"""Readable for the colour-blind, and in grey."""


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
        figure = Figure(figsize=(11, 2.4), layout="constrained")
        axes = dict(zip(panels, figure.subplots(1, len(panels)), strict=True))
        for result in results:
            _course(axes, result)
        for title, axis in axes.items():
            axis.set_title(title)
            axis.set_xlabel("step")
        for title in ("norms of the terms", "eta's share"):
            axes[title].set_yscale("log")
        axes["norms of the terms"].legend(frameon=False)
        figure.suptitle(f"{results[0].task_title}, {results[0].method_title}: {len(results)} searches")
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
            axis.set_yscale("log")
            axis.set_xticks(values, [str(value) for value in values])
            axis.set_xlabel(title)
        figure.axes[0].set_ylabel("milliseconds per step")
        figure.axes[0].legend(frameon=False)
        where = growth["environment"]
        figure.suptitle(
            f"{growth['model_title']}, {where['device_name']}, {where['threads']} threads, {where['precision']}"
        )
        _save(figure, path)


def _course(axes: dict[str, Axes], result: Result) -> None:
    history = result.details["history"]
    steps = [record["step"] for record in history]
    first = result.seed == 0
    thin: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.8}
    axes["validation loss"].plot(steps, [record["valid_loss"] for record in history], **thin)
    for name, label, style in (("direct_norm", "direct", "-"), ("second_order_norm", "second-order", ":")):
        values = [record.get(name) for record in history]
        if all(values):
            axes["norms of the terms"].plot(
                steps,
                values,
                style,
                color="black" if style == "-" else "tab:orange",
                label=label if first else None,
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
