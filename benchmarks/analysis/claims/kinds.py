"""The kinds of claims: name -> test."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from benchmarks.analysis.claims.best_of import best_of
from benchmarks.analysis.claims.claim import ClaimTest, Untested
from benchmarks.analysis.claims.evidence import Evidence
from benchmarks.analysis.claims.pair_tests import as_many_parameters, better, on_par
from benchmarks.analysis.claims.rank_tests import ranks_by_layer, ranks_by_task
from benchmarks.analysis.claims.time_tests import costs_at_most, slower_inference

KINDS: Mapping[str, Callable[[Mapping[str, Any], Evidence], ClaimTest | Untested]] = MappingProxyType(
    {
        "better": better,
        "on-par": on_par,
        "best-of": best_of,
        "as-many-parameters": as_many_parameters,
        "costs-at-most": costs_at_most,
        "ranks-by-layer": ranks_by_layer,
        "ranks-by-task": ranks_by_task,
        "slower-inference": slower_inference,
    }
)
"""Kind of claim -> its test, which takes the claim's settings and the results."""
