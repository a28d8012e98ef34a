"""Which cells of a plan are left, in which order they begin, and how a run of them ends."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from autolora.compute.runtime import Interrupted
from benchmarks.core.locks import is_held
from benchmarks.run.plan import PlannedCell
from benchmarks.store.result import Result
from benchmarks.store.store import Store


def results_at_hand(plan: Sequence[PlannedCell]) -> dict[str, Result]:
    """Identity -> result of what is done before the run."""
    return {planned.cell.identity: planned.result for planned in plan if planned.done and planned.result}


def left_of(plan: Sequence[PlannedCell]) -> dict[str, PlannedCell]:
    """Identity -> cell of what is to do."""
    return {planned.cell.identity: planned for planned in plan if not planned.done}


def results_in_order(plan: Sequence[PlannedCell], results: Mapping[str, Result]) -> list[Result]:
    """One result per cell of the plan, in its order. Raises Interrupted: some are still to do."""
    if missing := len({planned.cell.identity for planned in plan} - results.keys()):
        raise Interrupted(f"stopped with {missing} of {len(plan)} cells to do")
    return [results[planned.cell.identity] for planned in plan]


def in_order(cells: Iterable[PlannedCell]) -> list[PlannedCell]:
    """The longest first, each with what has to wait for it."""
    cells = list(cells)
    waits: dict[str, float] = {}
    for planned in cells:
        if planned.cell.needs:
            waits[planned.cell.needs.identity] = waits.get(planned.cell.needs.identity, 0.0) + planned.seconds
    return sorted(cells, key=lambda planned: -planned.seconds - waits.get(planned.cell.identity, 0.0))


def is_ready(planned: PlannedCell, to_do: Collection[str], results: Collection[str]) -> bool:
    """Whether nothing is left to do that the cell needs."""
    needs = planned.cell.needs
    return needs is None or needs.identity not in to_do or needs.identity in results


def next_cell(waiting: Sequence[PlannedCell], store: Store) -> PlannedCell | None:
    """The first cell that no other run on this store has, and that waits for none of the others; None: there is none."""
    left = {planned.cell.identity for planned in waiting}
    return next(
        (
            planned
            for planned in waiting
            if (planned.cell.needs is None or planned.cell.needs.identity not in left)
            and not is_held(planned.cell.folder(store).path)
        ),
        None,
    )
