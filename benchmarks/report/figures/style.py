"""What all figures share: style, panels, the look of each method, legends, and saving as PNG, PDF or SVG."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator, StrMethodFormatter

from benchmarks.analysis.stats import Summary

Summaries = Mapping[tuple[str, str], Summary]
"""(task, method) -> summary over seeds."""

STYLE = {
    "font.size": 8,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "autolora",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titley": 1.0,  # a place that is not searched for anew at every drawing
}
"""matplotlib's rcParams for all figures."""
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
"""Colour, marker and line style of each method in turn (Okabe and Ito's colours), distinguishable in grey too."""
PANELS_PER_ROW = 4


def make_panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` visible panels.

    Args:
        count: number of panels.
        height: height of a row of panels, in inches.
    """
    rows = -(-count // PANELS_PER_ROW)
    columns = min(count, PANELS_PER_ROW)
    figure = Figure(figsize=(2.9 * columns, height * rows + 0.4), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes


def make_task_panels(summaries: Summaries) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one titled panel per task, and the panels by task."""
    titles = {task: summary.results[0] for (task, _), summary in summaries.items()}
    figure, axes = make_panels(len(titles), height=2.2)
    panels = dict(zip(titles, axes, strict=False))
    for task, axis in panels.items():
        axis.set_title(f"{titles[task].task_title}, {titles[task].metric}")
    return figure, panels


def look_of(method: str, summaries: Summaries) -> tuple[str, str, str]:
    """Colour, marker and line style of a method."""
    methods = list(dict.fromkeys(name for _, name in summaries))
    return LOOKS[methods.index(method) % len(LOOKS)]


def make_logarithmic(axis: Axes) -> None:
    """Give the y axis a logarithmic scale with plain numbers as labels.

    matplotlib's default labels are formulas, and STYLE turns off the parsing of formulas as titles come from files.
    """
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def add_legend(figure: Figure, summaries: Summaries) -> None:
    """Add a legend of all methods on the right."""
    titles = {method: summary.results[0].method_title for (_, method), summary in summaries.items()}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=line, markersize=4, label=title)
        for method, title in titles.items()
        for colour, marker, line in [look_of(method, summaries)]
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False)


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's ending; missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
