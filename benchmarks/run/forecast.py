"""How long a plan takes on more machines than this one: its cells laid out over so many places, on paper."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.run.plan import PlannedCell
from benchmarks.run.schedule import in_order, is_ready, left_of


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """One schedule of what is left of a plan."""

    places: int
    """Cells that run at the same time, each on a device of its own."""
    seconds: float
    """From the start of the first cell to the end of the last one."""
    busy: float
    """Share of all places' time in which a cell runs; 1 where nothing is left to do."""
    last: PlannedCell | None
    """The cell that ends last."""


def forecast(cells: Sequence[PlannedCell], places: int) -> Forecast:
    """Lay out what is left of a plan as `run` would: the longest first, each after the cell that it needs."""
    to_do = left_of(cells)
    waiting, finished = in_order(to_do.values()), set[str]()
    running: list[tuple[float, int, PlannedCell]] = []
    now, begun, last = 0.0, 0, None
    while waiting or running:
        while len(running) < places and (ready := _first_ready(waiting, to_do, finished)):
            waiting.remove(ready)
            begun += 1  # of two that end at the same time, the one that began first
            heapq.heappush(running, (now + ready.seconds, begun, ready))
        now, _, last = heapq.heappop(running)
        finished.add(last.cell.identity)
    used = sum(planned.seconds for planned in to_do.values())
    return Forecast(places=places, seconds=now, busy=used / (places * now) if now else 1.0, last=last)


def render_forecasts(found: Sequence[Forecast]) -> str:
    """As a table, in hours."""
    rows = [
        (each.places, f"{each.seconds / 3600:,.1f}", f"{each.busy:.0%}", each.last.cell.name if each.last else "-")
        for each in found
    ]
    return tabulate(rows, headers=("places", "hours", "busy", "ends last"), disable_numparse=True)


def _first_ready(
    waiting: Sequence[PlannedCell], to_do: dict[str, PlannedCell], finished: set[str]
) -> PlannedCell | None:
    return next((planned for planned in waiting if is_ready(planned, to_do, finished)), None)
