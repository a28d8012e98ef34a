"""The statement on training time."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.report.cost_report import CostRow, cost_report
from benchmarks.report.findings.statement import Clause, Statement, listed, plural
from benchmarks.report.part import Part, other_cost_runs
from benchmarks.report.rank_report import LEARNED
from benchmarks.store.published import published_table

NAMES = {
    LEARNED: "AutoLoRA",
    "lora_grid_sequential": "the grid",
    "lora_grid": "the grid with all ranks trained at once",
}
"""Method -> its name in the sentence, in order."""


def training_time(parts: Sequence[Part], folder: Path) -> Statement | None:
    """Training time in multiples of AdaLoRA's, beside the printed ones; None where no cost run has AutoLoRA.

    Of the cost runs of one backbone and preset with results, the newest counts.
    """
    newest = {
        part.cost_runs[-1].finished: (part.cost_runs[-1], f"{part.name}-grids") for part in parts if part.cost_runs
    }
    others = [(run, "costs") for run in other_cost_runs(folder, parts)]
    clauses, words = [], []
    for run, anchor in [*newest.values(), *others]:
        report = cost_report(run, published_table(5))
        rows = {row.method: row for row in report.rows}
        if LEARNED in rows and run.methods[LEARNED] != report.reference:
            words.append(_beside_printed(rows[LEARNED]))
            named = [f"{name} {_multiple(rows[method])}" for method, name in NAMES.items() if method in rows]
            says = f"{report.reference} 1, {', '.join(named)}"
            where = f"{run.model_title}, preset {run.preset}, {listed(list(run.tasks.values()))}"
            clauses.append(Clause(says=says, where=where, anchor=anchor))
    if not clauses:
        return None
    counts = [f"{word} in {words.count(word)}" for word in dict.fromkeys(words) if word]
    answer = f"AutoLoRA's training time is {listed(counts)} of {plural(len(clauses), 'cost run')}"
    return Statement(
        answer=answer if counts else "AutoLoRA's training time is measured, and none is printed to compare it with",
        measure="Multiples of training time, the median over rounds and their range",
        clauses=clauses,
        docs="docs/performance.md#what-the-methods-cost-table-5",
    )


def _beside_printed(row: CostRow) -> str:
    """How the range over rounds lies beside the printed multiple; empty where none is printed."""
    if row.published is None:
        return ""
    above, below = row.average.low > row.published, row.average.high < row.published
    return "more than printed" if above else "less than printed" if below else "as printed"


def _multiple(row: CostRow) -> str:
    printed = "" if row.published is None else f" (printed {row.published:.2f})"
    return f"{row.average}{printed}"
