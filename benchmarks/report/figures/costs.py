"""Figures of training time: multiples of one method's, and the growth of a step's time with the problem's size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.report.cost_report import CostReport
from benchmarks.report.figures.style import STYLE, make_logarithmic, save


def cost_bars(report: CostReport, path: Path) -> None:
    """Training time in multiples of the reference method's: measured, with the range over rounds, and published."""
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
        axis.set_xlabel(f"training time, multiples of {report.reference}'s")
        axis.legend(frameon=False)
        save(figure, path)


def growth_curves(growth: Mapping[str, Any], path: Path) -> None:
    """Time of a step along each axis of growth, with its arithmetic floor; both scales are logarithmic."""
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
            make_logarithmic(axis)
            axis.set_xticks(values, [str(value) for value in values])
            axis.set_xlabel(title)
        figure.axes[0].set_ylabel("milliseconds per step")
        figure.axes[0].legend(frameon=False)
        where = growth["environment"]
        figure.suptitle(
            f"{growth['model_title']}, {where['device_name']}, {where['threads']} threads, {where['precision']}"
        )
        save(figure, path)
