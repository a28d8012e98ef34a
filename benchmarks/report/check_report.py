"""Tables of the check of new results and new cost runs against the reference."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from statistics import mean

from benchmarks.analysis.collapse import with_collapsed
from benchmarks.analysis.difference import POWER
from benchmarks.analysis.regression.comparison import LEVEL, OUTCOMES, CellCheck
from benchmarks.analysis.regression.costs import MARGIN, CostCheck
from benchmarks.analysis.regression.power import Scenario
from benchmarks.report.tables.grid import Grid, write
from benchmarks.tasks.metrics.scales import Scale

AIMS = {1: 6.0, 3: 4.0}
"""Number of new seeds -> drop in points that a check should find."""


def render_check(checks: Sequence[CellCheck], form: str, width: int) -> str:
    """Render the outcome of every cell in one of `grid.FORMATS`, moved cells first."""
    if form == "json":
        return json.dumps([asdict(each) for each in checks], indent=1)
    ordered = sorted(checks, key=lambda each: OUTCOMES.index(each.outcome))
    rows = [
        {
            "Task": each.task_title,
            "Method": each.method_title,
            "Reference": _scores(each.reference, each.reference_collapsed, each.scale),
            "Now": _scores(each.candidate, each.candidate_collapsed, each.scale),
            "p, Holm": "-" if each.p is None else f"{each.p:.3f}",
            f"Detectable ({POWER:.0%} power)": _difference(each),
            "Outcome": each.outcome,
        }
        for each in ordered
    ]
    return write([Grid.of("", rows, _notes(ordered))], form, width)


def render_cost_check(checks: Sequence[CostCheck], baseline: str, stack: Sequence[str], form: str, width: int) -> str:
    """Render cost ratios beside those of the reference, in one of `grid.FORMATS`.

    Args:
        checks: one per method.
        baseline: title of the method whose training time is 1.
        stack: differences in machine and installed packages, as clauses.
        form: one of `grid.FORMATS`.
        width: width of a text, in characters.
    """
    if form == "json":
        return json.dumps([asdict(each) | {"moved": each.moved} for each in checks], indent=1)
    rows = [
        {
            "Method": each.method_title,
            "Reference": f"{each.reference:.2f}",
            "Now": f"{each.candidate:.2f}",
            "Change, 95 %": f"{each.change:+.0%} [{each.interval[0]:+.0%}, {each.interval[1]:+.0%}]",
            "p, Holm": f"{each.p:.3f}",
            "Outcome": "moved" if each.moved else "as before",
        }
        for each in checks
    ]
    note = (
        f"Moved: the ratio has changed significantly by more than {MARGIN:.0%} (t test of log ratios, with a level of "
        f"{LEVEL:.1%} over all methods); the noise is taken as at least that of the calibration copy. {_stack(stack)}"
    )
    return write([Grid.of(f"Training time in multiples of {baseline}'s", rows, [note])], form, width)


def render_power(found: Sequence[Scenario], checks: int, width: int) -> str:
    """Table of what a check of all cells finds: the drops of single cells, and false alarms, by so many simulated checks."""
    rows = []
    for scenario in found:
        for reference_seeds, new_seeds in scenario.seeds:
            power = scenario.power(reference_seeds, new_seeds, checks)
            cells, drops = len(power.drops), sorted(power.drops)
            many = 3 * cells // 4
            aim = AIMS[new_seeds]
            rows.append(
                {
                    "Noise": scenario.title,
                    "Reference": f"{reference_seeds} seeds",
                    "New": f"{new_seeds}",
                    f"Drop, {cells // 2} of {cells}": f"{drops[cells // 2 - 1]:.1f}",
                    f"{many} of {cells}": f"{drops[many - 1]:.1f}",
                    "Cells that find": f"{power.found(aim)}: {aim:.0f} points",
                    "False alarms": f"{power.false_alarms:.1%}",
                }
            )
    note = (
        f"Drops in points that are found with {POWER:.0%} power in so many cells, by a check with a level of {LEVEL:.1%} over "
        f"all cells; in how many cells a drop of so many points is found; and the share of {checks:,} checks without any "
        "change in which a cell moved."
    )
    return write([Grid.of("", rows, [note])], "text", width)


def _notes(checks: Sequence[CellCheck]) -> list[str]:
    counts = Counter(each.outcome for each in checks)
    stack = dict.fromkeys(clause for each in checks for clause in each.stack)
    code = dict.fromkeys(clause for each in checks for clause in each.code)
    return [
        f"Of {len(checks)} cells: {', '.join(f'{counts[each]} {each}' for each in OUTCOMES if counts[each])}.",
        *(
            f"{each.task_title}, {each.method_title}: {each.outcome}: {'; '.join(each.reasons)}."
            for each in checks
            if each.reasons
        ),
        _stack([*stack]),
        f"The code differs: {', '.join(code)}." if code else "The code is the reference's.",
        (
            f"A two-sided t test per cell, with a level of {LEVEL:.1%} over all cells (Holm's correction); the noise is the "
            "reference's, moderated over its cells. The detectable "
            f"difference ({POWER:.0%} power) is the smallest that the test detects with this power, on the scale of the scores."
        ),
    ]


def _stack(changes: Sequence[str]) -> str:
    return f"The stack differs: {', '.join(changes)}." if changes else "The stack is the reference's."


def _difference(check: CellCheck) -> str:
    return "-" if check.detectable_difference is None else check.scale.text(check.detectable_difference)


def _scores(scores: Sequence[float], collapsed: int | None, scale: Scale) -> str:
    return f"{scale.text(mean(scores))} ({with_collapsed(f'n={len(scores)}', collapsed)})" if scores else "-"
