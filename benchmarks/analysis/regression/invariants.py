"""What must hold for a single result, whatever its score: faults that a score may hide."""

from benchmarks.store.result import Result

LEAST_COSINE = 0.7
"""Between the second-order term and finite differences, whose error in bfloat16 is up to a fifth of the term."""
SIZES = (0.5, 2.0)
"""Norm of the second-order term over that of the differences, at least and at most."""


def violations(result: Result) -> list[str]:
    """Which invariants the result's own record breaks, as clauses; what it does not record is not tested."""
    return [*_repetition(result), *_probe(result), *_movement(result), *_active_ranks(result)]


def _repetition(result: Result) -> list[str]:
    if result.details.get("evaluation_repeats", True):
        return []
    return ["the same examples got other answers when they were evaluated again"]


def _probe(result: Result) -> list[str]:
    found = result.details.get("probe")
    if not found:
        return []
    clauses = []
    if found["cosine"] < LEAST_COSINE:
        clauses.append(f"the second-order term has a cosine of {found['cosine']:.2f} with finite differences")
    if not SIZES[0] <= found["size"] <= SIZES[1]:
        clauses.append(f"the second-order term is {found['size']:.2g} times that of finite differences")
    return clauses


def _movement(result: Result) -> list[str]:
    selection = result.details.get("selection")
    if not selection or any(min(values) < max(values) for values in selection.values()):
        return []
    return ["no selection variable has moved: all of a projection are equal, as they were at the start"]


def _active_ranks(result: Result) -> list[str]:
    target = result.config.get("method", {}).get("target_rank")
    if target is None or not result.ranks:
        return [] if target is None else ["no component was ever pruned"]
    total, allowed = sum(result.ranks.values()), target * len(result.ranks)
    return [f"{total} components are active, where the budget is {allowed}"] if total > allowed else []
