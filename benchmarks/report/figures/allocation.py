"""Figures of rank allocators: the loss over the budget, and planted ranks against those found."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.report.allocation_report import name_of
from benchmarks.report.figures.style import LOOKS, STYLE, make_panels, save
from benchmarks.store.allocation_record import AllocationRun


def budget_curves(runs: Sequence[AllocationRun], path: Path) -> None:
    """Held-out loss over the budget, the mean over seeds; one panel per setting, one line per allocator."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    names = list(dict.fromkeys((trial.allocator, trial.title) for run in runs for trial in run.trials))
    with mpl.rc_context(STYLE):
        figure, panels = make_panels(len(settings), 2.4)
        for axis, setting in zip(panels, settings, strict=False):
            trials = [trial for run in runs if run.setting == setting for trial in run.trials]
            for place, (name, title) in enumerate(names):
                own = [trial for trial in trials if trial.allocator == name]
                shares = sorted({trial.share for trial in own})
                losses = [mean(trial.loss for trial in own if trial.share == share) for share in shares]
                colour, marker, line = LOOKS[place % len(LOOKS)]
                axis.plot(
                    shares, losses, line, marker=marker, color=colour, markersize=3, linewidth=1,
                    label=name_of(name, title),
                )  # fmt: skip
            axis.set_xscale("log", base=2)
            axis.set_title(setting)
        figure.supxlabel("parameters of the updates, multiples of the planted ones")
        figure.supylabel("held-out loss")
        panels[0].legend(frameon=False, fontsize=5)
        save(figure, path)


def truth_against_found(runs: Sequence[AllocationRun], path: Path) -> None:
    """The ranks of every layer at the planted budget; one row of panels per allocator, one column per setting.

    Bars are the planted ranks, points those found, one per seed.
    """
    settings = list(dict.fromkeys(run.setting for run in runs))
    names = list(dict.fromkeys((trial.allocator, trial.title) for run in runs for trial in run.trials))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.4 * len(settings), 0.9 * len(names) + 0.4), layout="constrained")
        panels = figure.subplots(len(names), len(settings), squeeze=False, sharex="col", sharey=True)
        for row, (name, title) in zip(panels, names, strict=True):
            for axis, setting in zip(row, settings, strict=True):
                of_setting = [run for run in runs if run.setting == setting]
                truth = of_setting[0].truth
                axis.bar(range(len(truth)), truth, color="#cccccc")
                for run in of_setting:
                    found = [trial.ranks for trial in run.trials if trial.allocator == name and trial.share == 1]
                    for ranks in found:
                        axis.plot(range(len(ranks)), ranks, ".", color="#0072b2", markersize=3)
            row[0].set_ylabel(name_of(name, title), fontsize=6, rotation=0, ha="right", va="center")
        for axis, setting in zip(panels[0], settings, strict=True):
            axis.set_title(setting, fontsize=7)
        figure.supxlabel("layer")
        save(figure, path)
