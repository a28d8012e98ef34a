"""Invariants of a single result, which reveal faults that its score may hide."""

from benchmarks.store.result import Result

LEAST_COSINE = 0.7
"""Smallest cosine between the second-order term and finite differences, whose error in bfloat16 reaches a fifth of the
term."""
SIZES = (0.5, 2.0)
"""Smallest and largest ratio of the norm of the second-order term to that of the finite differences."""


def violations(result: Result) -> list[str]:
    """The invariants that the result breaks, as clauses; an invariant is skipped where the result lacks its record."""
    return [*_repetition(result), *_probe(result), *_movement(result), *_active_ranks(result)]


def _repetition(result: Result) -> list[str]:
    if result.details.get("evaluation_repeats", True):
        return []
    return ["evaluating the same examples again gave different predictions"]


def _probe(result: Result) -> list[str]:
    probe = result.details.get("probe")
    if not probe:
        return []
    clauses = []
    if probe["cosine"] < LEAST_COSINE:
        clauses.append(f"the second-order term has a cosine of {probe['cosine']:.2f} with finite differences")
    if not SIZES[0] <= probe["size"] <= SIZES[1]:
        clauses.append(f"the second-order term is {probe['size']:.2g} times that of finite differences")
    return clauses


def _movement(result: Result) -> list[str]:
    selection = result.details.get("selection")
    if not selection or any(min(values) < max(values) for values in selection.values()):
        return []
    return ["no selection variable has changed: all values of each projection are equal, as at the start"]


def _active_ranks(result: Result) -> list[str]:
    target = result.config.get("method", {}).get("target_rank")
    if target is None or not result.ranks:
        return [] if target is None else ["no component was ever pruned"]
    total, allowed = sum(result.ranks.values()), target * len(result.ranks)
    return [f"{total} components are active, where the budget is {allowed}"] if total > allowed else []
