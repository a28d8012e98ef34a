"""Scheduling of a plan's cells: which are left, in which order they start, and the results in the plan's order."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from autolora.compute.runtime import Interrupted
from benchmarks.core.locks import is_held
from benchmarks.run.plan import PlannedCell
from benchmarks.store.result import Result
from benchmarks.store.store import Store


def results_at_hand(plan: Sequence[PlannedCell]) -> dict[str, Result]:
    """Identity -> result of the cells that were done before the run."""
    return {planned.cell.identity: planned.result for planned in plan if planned.done and planned.result}


def left_of(plan: Sequence[PlannedCell]) -> dict[str, PlannedCell]:
    """Identity -> cell, of the cells that are not done."""
    return {planned.cell.identity: planned for planned in plan if not planned.done}


def results_in_order(plan: Sequence[PlannedCell], results: Mapping[str, Result]) -> list[Result]:
    """One result per cell of the plan, in the plan's order. Raises Interrupted: some cells have no result."""
    if missing := len({planned.cell.identity for planned in plan} - results.keys()):
        raise Interrupted(f"stopped with {missing} of {len(plan)} cells to do")
    return [results[planned.cell.identity] for planned in plan]


def in_order(cells: Iterable[PlannedCell]) -> list[PlannedCell]:
    """The longest cells first; the time of a cell includes the cells that need it."""
    cells = list(cells)
    dependent_seconds: dict[str, float] = {}
    for planned in cells:
        if needs := planned.cell.needs:
            dependent_seconds[needs.identity] = dependent_seconds.get(needs.identity, 0.0) + planned.seconds
    return sorted(cells, key=lambda planned: -planned.seconds - dependent_seconds.get(planned.cell.identity, 0.0))


def is_ready(planned: PlannedCell, to_do: Collection[str], results: Collection[str]) -> bool:
    """Whether the cell that this one needs is done, or this one needs none."""
    needs = planned.cell.needs
    return needs is None or needs.identity not in to_do or needs.identity in results


def next_cell(waiting: Sequence[PlannedCell], store: Store) -> PlannedCell | None:
    """The first cell that no other run has locked, and that needs no other waiting cell; None where there is none."""
    waiting_identities = {planned.cell.identity for planned in waiting}
    return next(
        (
            planned
            for planned in waiting
            if (planned.cell.needs is None or planned.cell.needs.identity not in waiting_identities)
            and not is_held(planned.cell.folder(store).path)
        ),
        None,
    )
