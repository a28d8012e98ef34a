"""A new cost run against the reference: ratios only, each measured within one run on one host."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from statsmodels.stats.multitest import multipletests

from benchmarks.analysis.difference import Difference, unpaired
from benchmarks.analysis.regression.comparison import LEVEL
from benchmarks.analysis.regression.records import stack_changes
from benchmarks.store.cost_record import CostRun

MARGIN = 0.1
"""Share by which a ratio may change before it matters."""


@dataclass(frozen=True, kw_only=True)
class CostCheck:
    """One method's training time in multiples of another's."""

    method_title: str
    reference: float
    """Median over rounds."""
    candidate: float
    change: float
    """Candidate over reference, less 1."""
    interval: tuple[float, float]
    """95% interval of the change."""
    p: float
    """Against "it has changed by at most MARGIN"; corrected for the number of methods."""

    @property
    def moved(self) -> bool:
        """Whether the change is certain to be larger than MARGIN."""
        return self.p < LEVEL


def refusals(candidate: CostRun, reference: CostRun) -> list[str]:
    """Why two cost runs must not be compared, as clauses."""
    clauses = [
        f"{name} was {before}, is {now}"
        for name, before, now in (
            ("preset", reference.preset, candidate.preset),
            ("protocol", reference.protocol, candidate.protocol),
            ("model", reference.model_title, candidate.model_title),
            ("precision", reference.environment.precision, candidate.environment.precision),
            ("device", reference.environment.device_name, candidate.environment.device_name),
            ("threads", reference.environment.threads, candidate.environment.threads),
            ("tasks", [*reference.tasks], [*candidate.tasks]),
            ("projection", bool(reference.timed_steps), bool(candidate.timed_steps)),
        )
        if before != now
    ]
    return clauses if _calibration(candidate) else [*clauses, "it has fewer than two sound rounds of calibration"]


def check_costs(candidate: CostRun, reference: CostRun, over: str) -> list[CostCheck]:
    """Compare the ratios of every method that both runs have to one of them.

    Args:
        candidate: a new run.
        reference: a run that may be compared with it.
        over: the method whose time is 1.
    """
    noise = max(_calibration(candidate), _calibration(reference))
    methods = [method for method in candidate.methods if method in reference.methods and method != over]
    sides = {method: [run.ratios(method, over) for run in (candidate, reference)] for method in methods}
    found = {method: unpaired(*map(_logs, pair), least_sd=noise) for method, pair in sides.items()}
    differences = {method: difference for method, difference in found.items() if difference}
    p_values = [_p(difference) for difference in differences.values()]
    corrected = multipletests(p_values, method="holm")[1] if p_values else ()
    return [
        CostCheck(
            method_title=candidate.methods[method],
            candidate=statistics.median(sides[method][0]),
            reference=statistics.median(sides[method][1]),
            change=math.expm1(difference.value),
            interval=(math.expm1(difference.interval(0.95)[0]), math.expm1(difference.interval(0.95)[1])),
            p=float(p),
        )
        for (method, difference), p in zip(differences.items(), corrected, strict=True)
    ]


def stack(candidate: CostRun, reference: CostRun) -> list[str]:
    """What differs of the packages."""
    return stack_changes(candidate.environment, reference.environment)


def _p(difference: Difference) -> float:
    """Two-sided p value against a change of at most MARGIN either way."""
    bound = math.log1p(MARGIN)
    return min(1.0, 2 * min(difference.p_above(bound), difference.p_below(-bound)))


def _calibration(run: CostRun) -> float:
    """Standard deviation of the log ratio of a method to itself: what the noise of a ratio is at least; 0: unknown."""
    again = next((cost.method for cost in run.costs if cost.again), None)
    ratios = _logs(run.ratios(again, again, again=True)) if again else []
    return math.sqrt(statistics.mean(ratio**2 for ratio in ratios)) if len(ratios) > 1 else 0.0


def _logs(ratios: Sequence[float]) -> list[float]:
    return [math.log(ratio) for ratio in ratios]
