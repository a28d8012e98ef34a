"""Invariants that a sound result has, whatever its reference."""

from typing import Any

import pytest

from benchmarks.analysis.regression.comparison import check
from benchmarks.analysis.regression.invariants import violations
from tests.support.fakes import make_result


@pytest.mark.parametrize(
    ("changes", "clause"),
    [
        ({"details": {"evaluation_repeats": False}}, "evaluating the same examples again gave different predictions"),
        ({"details": {"probe": {"cosine": -0.99, "size": 1.0}}}, "cosine of -0.99 with finite differences"),
        ({"details": {"probe": {"cosine": 1.0, "size": 0.0}}}, "0 times that of finite differences"),
        ({"details": {"selection": {"q": [0.5, 0.5], "v": [0.5, 0.5]}}}, "no selection variable has changed"),
        ({"config": {"method": {"target_rank": 2}}, "ranks": {"q": 3, "v": 3}}, "6 components are active"),
        ({"config": {"method": {"target_rank": 2}}, "ranks": {}}, "no component was ever pruned"),
    ],
)
def test_a_broken_invariant_is_found_without_any_reference(changes: dict[str, Any], clause: str) -> None:
    result = make_result(**changes)
    (found,) = violations(result)
    assert clause in found
    (moved,) = check([result], [], [(result.task, result.method)])
    assert moved.outcome == "moved"
    assert clause in moved.reasons[0]


def test_a_sound_result_breaks_no_invariant() -> None:
    details = {"evaluation_repeats": True, "probe": {"cosine": 0.98, "size": 1.1}, "selection": {"q": [0.4, 0.6]}}
    assert not violations(make_result(details=details))
    assert not violations(make_result(config={"method": {"target_rank": 2}}, ranks={"q": 3, "v": 1}))
