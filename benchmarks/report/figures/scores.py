"""Figures of scores: of every seed, over the epochs, against the training time, and beside published scores."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.analysis.stats import summarise
from benchmarks.report.figures.style import LOOKS, STYLE, add_legend, look_of, make_task_panels, save
from benchmarks.report.tables.score_table import ScoreTable
from benchmarks.store.result import Result

HATCHES = ("", "//", "..", "xx")


def learning_curves(results: Sequence[Result], path: Path) -> None:
    """Scores after every epoch, the mean over seeds, one line per method."""
    summaries = summarise(result for result in results if result.curve)
    with mpl.rc_context(STYLE):
        figure, panels = make_task_panels(summaries)
        for (task, method), summary in summaries.items():
            epochs = sorted(map(int, summary.results[0].curve))
            known = [
                (epoch, mean(scores))
                for epoch in epochs
                if (scores := [score for each in summary.results if (score := _score_after(each, epoch)) is not None])
            ]
            colour, marker, line = look_of(method, summaries)
            points: Sequence[Sequence[float]] = list(zip(*known, strict=True)) or [[], []]
            panels[task].plot(*points, line, marker=marker, color=colour, markersize=3, linewidth=1)
        figure.supxlabel("epochs")
        add_legend(figure, summaries)
        save(figure, path)


def cost_against_score(results: Sequence[Result], path: Path) -> None:
    """Mean score over mean seconds of search, choice of a configuration and training; one point per method."""
    summaries = summarise(results)
    with mpl.rc_context(STYLE):
        figure, panels = make_task_panels(summaries)
        for (task, method), summary in summaries.items():
            seconds = mean(
                sum(each.seconds.get(stage, 0.0) for stage in ("search", "choose", "train")) for each in summary.results
            )
            colour, marker, _ = look_of(method, summaries)
            panels[task].errorbar(
                [seconds], [summary.mean], yerr=summary.sd, fmt=marker, color=colour, markersize=5, elinewidth=0.8
            )
        for axis in panels.values():
            axis.set_xlim(left=0)
        figure.supxlabel("seconds of training, search included")
        add_legend(figure, summaries)
        save(figure, path)


def seed_scores(results: Sequence[Result], path: Path) -> None:
    """The score of every seed: one panel per task, one column of points per method, all on a scale from 0 to 100."""
    summaries = summarise(results)
    with mpl.rc_context(STYLE):
        figure, panels = make_task_panels(summaries)
        methods = list(dict.fromkeys(method for _, method in summaries))
        for (task, method), summary in summaries.items():
            colour, marker, _ = look_of(method, summaries)
            places = [methods.index(method)] * len(summary.scores)
            panels[task].scatter(places, summary.scores, marker=marker, color=colour, s=14, alpha=0.7, linewidths=0)
        for axis in panels.values():
            axis.set_xticks([])
            axis.set_xlim(-0.7, len(methods) - 0.3)
            axis.set_ylim(min(-2.0, axis.dataLim.ymin - 2.0), 102.0)
        add_legend(figure, summaries)
        save(figure, path)


def score_bars(table: ScoreTable, path: Path) -> None:
    """Bars of all methods on every task, as in Figure 2, with a line at each published score."""
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
        save(figure, path)


def _score_after(result: Result, epoch: int) -> float | None:
    return result.curve.get(str(epoch), {}).get(result.split, {}).get(result.metric)
