"""Figures of learned ranks and of the course of searches."""

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from benchmarks.report.figures.style import STYLE, make_logarithmic, make_panels, save
from benchmarks.report.rank_report import FIGURE_3, RankReport
from benchmarks.store.published import authors_ranks
from benchmarks.store.result import Result

COLOURS = "cividis"
"""Colour map that is readable for colour-blind readers and in grey."""

_INITIALS = {"query": "q", "value": "v"}


def rank_heatmap(report: RankReport, path: Path) -> None:
    """Figure 3: one row per task and role, one column per block; beside it the authors' lists, where there are any."""
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
        widths = [max(map(len, panel.values())) for _, panel in panels]
        figure = Figure(
            figsize=(1.8 + 0.42 * sum(widths) + 1.2 * len(panels), 0.9 + 0.34 * len(rows)), layout="constrained"
        )
        axes = figure.subplots(1, len(panels), width_ratios=widths, squeeze=False)[0]
        for axis, (title, panel) in zip(axes, panels, strict=True):
            image = _heatmap(axis, title, panel, largest)
            axis.set_xlabel("block" if all(task.by_block for task in report.tasks) else "number within the role")
        figure.colorbar(image, ax=list(axes), label="rank", ticks=range(largest + 1))
        save(figure, path)


def search_course(results: Sequence[Result], path: Path) -> None:
    """Records of the searches of one task over the steps: losses, both terms, eta's share, spread and mean rank."""
    panels = ("validation loss", "norms of the terms", "eta's share", "spread of selection", "mean rank")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 2.4))
        figure.subplots_adjust(
            left=0.05, right=0.99, bottom=0.2, top=0.77, wspace=0.32
        )  # fixed margins, faster than a layout engine
        axes = dict(zip(panels, figure.subplots(1, len(panels)), strict=True))
        for result in results:
            _plot_history(axes, result)
        for title, axis in axes.items():
            axis.set_title(title)
            axis.set_xlabel("step")
        for title in ("norms of the terms", "eta's share"):
            make_logarithmic(axes[title])
        axes["norms of the terms"].set_title("norms: direct -, second-order ···")
        figure.suptitle(f"{results[0].task_title}, {results[0].method_title}: {len(results)} searches")
        save(figure, path)


def rank_stability(report: RankReport, path: Path) -> None:
    """Ranks of all projections in all searches, their mean over seeds, and that of thresholded noise, if known."""
    with mpl.rc_context(STYLE):
        figure, axes = make_panels(len(report.tasks), height=2.1)
        for axis, task in zip(axes, report.tasks, strict=False):
            places = range(len(task.projections))
            for ranks in task.ranks:
                axis.plot(places, ranks, "o", color="black", alpha=0.3, markersize=4, markeredgewidth=0)
            axis.plot(places, task.means, "_", color="#d55e00", markersize=9, markeredgewidth=2)
            if task.noise_mean is not None:
                axis.axhline(task.noise_mean, color="#0072b2", linewidth=0.8, linestyle="--")
            agreement = "" if task.agreement is None else f", W = {task.agreement.w:.2f}"
            axis.set_title(f"{task.title}: {len(task.seeds)} searches{agreement}")
            axis.set_xticks(places, _places(task.roles))
            if {*task.roles} - {*_INITIALS}:
                axis.tick_params(axis="x", labelrotation=90, labelsize=5)
            axis.set_ylim(0, task.max_rank + 0.5)
        figure.supylabel("rank")
        save(figure, path)


def _places(roles: Sequence[str]) -> list[str]:
    """A short name of each projection: its role (of query and value the initial) and its number within the role."""
    return [f"{_INITIALS.get(role, role + ' ')}{roles[: place + 1].count(role)}" for place, role in enumerate(roles)]


def _plot_history(axes: dict[str, Axes], result: Result) -> None:
    """Plot the records of one search; records that older results lack are skipped."""
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
    columns = max(map(len, values))
    digits = 0 if all(float(value).is_integer() for row in values for value in row) else 1
    filled = [[*row, *[nan] * (columns - len(row))] for row in values]
    image = axis.imshow(filled, cmap=COLOURS, vmin=0, vmax=largest, aspect="auto")
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            axis.text(
                x, y, f"{value:.{digits}f}", ha="center", va="center", color="white" if value < largest / 2 else "black"
            )
    axis.set_xticks(range(columns), [str(index + 1) for index in range(columns)])
    axis.set_yticks(range(len(rows)), list(rows))
    axis.set_title(title)
    axis.spines[:].set_visible(b=False)
    return image
