"""In which order cells begin that run at the same time."""

from collections.abc import Collection, Iterable

from benchmarks.plan import PlannedCell


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
