"""Checks a new cost run against the reference by cost ratios, each measured within one run on one host."""

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
"""Relative change of a ratio that is tolerated."""


@dataclass(frozen=True, kw_only=True)
class CostCheck:
    """Change of one method's training time in multiples of the baseline's."""

    method_title: str
    reference: float
    """Ratio of the reference run, the median over rounds."""
    candidate: float
    """Ratio of the new run, the median over rounds."""
    change: float
    """Candidate / reference - 1."""
    interval: tuple[float, float]
    """95% interval of the change."""
    p: float
    """P value against "the ratio has changed by at most MARGIN", corrected for the number of methods."""

    @property
    def moved(self) -> bool:
        """Whether the change is significantly larger than MARGIN."""
        return self.p < LEVEL


def refusals(candidate: CostRun, reference: CostRun, baseline: str) -> list[str]:
    """The reasons why two cost runs must not be compared in multiples of the baseline's time, as clauses."""
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
    clauses += [
        f"{whose} has no costs of {baseline}, whose training time is 1"
        for whose, run in (("it", candidate), ("the reference", reference))
        if baseline not in run.methods
    ]
    return clauses if _calibration(candidate) else [*clauses, "it has fewer than two undisturbed calibration rounds"]


def check_costs(candidate: CostRun, reference: CostRun, baseline: str) -> list[CostCheck]:
    """Compare the cost ratios of every method that both runs have.

    Args:
        candidate: a new run.
        reference: a run without `refusals` against the new run.
        baseline: the method whose training time is 1.
    """
    noise = max(_calibration(candidate), _calibration(reference))
    methods = [method for method in candidate.methods if method in reference.methods and method != baseline]
    ratios = {method: [run.ratios(method, baseline) for run in (candidate, reference)] for method in methods}
    estimates = {method: unpaired(*map(_logs, pair), least_sd=noise) for method, pair in ratios.items()}
    differences = {method: difference for method, difference in estimates.items() if difference}
    p_values = [_p(difference) for difference in differences.values()]
    corrected = multipletests(p_values, method="holm")[1] if p_values else ()
    return [
        CostCheck(
            method_title=candidate.methods[method],
            candidate=statistics.median(ratios[method][0]),
            reference=statistics.median(ratios[method][1]),
            change=math.expm1(difference.value),
            interval=(math.expm1(difference.interval(0.95)[0]), math.expm1(difference.interval(0.95)[1])),
            p=float(p),
        )
        for (method, difference), p in zip(differences.items(), corrected, strict=True)
    ]


def stack(candidate: CostRun, reference: CostRun) -> list[str]:
    """Differences in machine and installed packages, as clauses."""
    return stack_changes(candidate.environment, reference.environment)


def _p(difference: Difference) -> float:
    """Two-sided p value against a change of at most MARGIN in either direction."""
    bound = math.log1p(MARGIN)
    return min(1.0, 2 * min(difference.p_above(bound), difference.p_below(-bound)))


def _calibration(run: CostRun) -> float:
    """Standard deviation of the log ratio of a method to its calibration copy: a lower bound of the noise of ratios.

    0 where there are fewer than two undisturbed rounds of the copy.
    """
    copied = next((cost.method for cost in run.costs if cost.again), None)
    ratios = _logs(run.ratios(copied, copied, again=True)) if copied else []
    return math.sqrt(statistics.mean(ratio**2 for ratio in ratios)) if len(ratios) > 1 else 0.0


def _logs(ratios: Sequence[float]) -> list[float]:
    return [math.log(ratio) for ratio in ratios]
