"""Tables of learned ranks (Figure 3) and of the tests whether they are learned."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.report.rank_report import Control, RankReport, TaskRanks
from benchmarks.report.tables.grid import Grid, write


def render_ranks(report: RankReport, form: str, width: int) -> str:
    """Render the ranks and the tests in one of `grid.FORMATS`."""
    if form == "json":
        return json.dumps(asdict(report), indent=1)
    return write(rank_grids(report), form, width)


def rank_grids(report: RankReport) -> list[Grid]:
    """Tables of the ranks, of the tests whether they are learned, of convergence, and of comparisons with controls."""
    grids = [_rank_grid(report.tasks), _evidence_grid(report)]
    if any(task.stops for task in report.tasks):
        grids.append(_stop_grid(report.tasks))
    if report.controls:
        grids.append(_control_grid(report.controls))
    return grids


def _rank_grid(tasks: Sequence[TaskRanks]) -> Grid:
    rows = [
        [task.title, role, *(f"{rank:.1f}" for rank in ranks)]
        for task in tasks
        for role, ranks in task.by_role().items()
    ]
    blocks = max(len(row) for row in rows) - 2
    place = "block" if all(task.by_block for task in tasks) else "number"
    headers = ["task", "projection", *(f"{place} {index + 1}" for index in range(blocks))]
    padded = [[*row, *[""] * (len(headers) - len(row))] for row in rows]
    return Grid(title="Learned ranks, mean over the searches", headers=headers, rows=padded)


def _evidence_grid(report: RankReport) -> Grid:
    rows = [
        [
            task.title,
            str(len(task.seeds)),
            f"{statistics.mean(task.means):.2f}",
            "-" if task.noise_mean is None else f"{task.noise_mean:.2f}",
            f"{100 * task.deviation:.1f} %",
            "-" if task.agreement is None else f"{task.agreement.w:.2f} (p {task.agreement.p:.3f})",
            f"{1 / len(task.seeds):.2f}",
            "-" if task.layer_p is None else f"{task.layer_p:.3f}",
            "-" if task.share is None else f"{task.share:.1e}",
        ]
        for task in report.tasks
    ]
    headers = [
        "task",
        "searches",
        "mean rank",
        "of noise",
        "|k alpha - 1|",
        "Kendall's W",
        "by chance",
        "layers, p",
        "eta's share",
    ]
    return Grid(title="Are they learned?", headers=headers, rows=rows, notes=_notes(report))


def _stop_grid(tasks: Sequence[TaskRanks]) -> Grid:
    rows = [
        [
            task.title,
            str(len(task.stops)),
            f"{100 * statistics.mean(stop.saved for stop in task.stops):.0f} %",
            f"{100 * statistics.mean(stop.same_ranks for stop in task.stops):.0f} %",
        ]
        for task in tasks
        if task.stops
    ]
    headers = ["task", "searches", "steps saved", "ranks as at the end"]
    return Grid(title="Had they stopped on convergence, by the rule's defaults", headers=headers, rows=rows)


def _control_grid(controls: Sequence[Control]) -> Grid:
    rows = [
        [
            control.title,
            control.scaling,
            control.against,
            control.scale.text(control.learned),
            control.scale.text(control.other),
            "-"
            if control.difference is None
            else f"{control.scale.signed(control.difference.value)} ± {control.scale.text(control.difference.half_width(0.95))}",
            "-"
            if control.difference is None
            else f"{control.difference.p_nonzero():.2f} ({control.cells.after(f'n={control.seeds}')})",
        ]
        for control in controls
    ]
    headers = ["task", "scaling", "learned ranks against", "learned", "other", "difference, 95 %", "p"]
    return Grid(title="Are they worth anything?", headers=headers, rows=rows)


def _notes(report: RankReport) -> list[str]:
    explanation = (
        "W compares the order of the projections between seeds; p is that of a permutation test. "
        "'layers, p' holds the variance between projections against thresholded noise of the same spread."
    )
    notes = [explanation]
    if without := [task.title for task in report.tasks if task.noise_mean is None]:
        notes.append(
            f"{', '.join(without)}: not compared with noise, which has the spread of the logits of positive selection "
            "variables from a softmax."
        )
    if report.same_seed is not None and report.other_seed is not None:
        notes.append(
            f"Between two tasks, ranks correlate by {report.same_seed:+.2f} at the same seed (the same initial "
            f"factors) and by {report.other_seed:+.2f} at different ones (Spearman)."
        )
    return notes
