"""Forecasts how long a plan takes on several devices, by simulating the schedule of its cells."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.run.plan import PlannedCell
from benchmarks.run.schedule import in_order, is_ready, left_of


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The simulated schedule of a plan's remaining cells."""

    places: int
    """Number of cells that run concurrently, each on its own device."""
    seconds: float
    """From the start of the first cell to the end of the last one."""
    busy: float
    """Share of all places' time in which a cell runs; 1 where no cell remains."""
    last: PlannedCell | None
    """The cell that ends last."""


def forecast(cells: Sequence[PlannedCell], places: int) -> Forecast:
    """Simulate the remaining cells as a run would schedule them: the longest first, each after the cell that it needs."""
    to_do = left_of(cells)
    waiting, finished = in_order(to_do.values()), set[str]()
    running: list[tuple[float, int, PlannedCell]] = []
    now, begun, last = 0.0, 0, None
    while waiting or running:
        while len(running) < places and (ready := _first_ready(waiting, to_do, finished)):
            waiting.remove(ready)
            begun += 1  # of two cells that end at the same time, the one that began first is popped first
            heapq.heappush(running, (now + ready.seconds, begun, ready))
        now, _, last = heapq.heappop(running)
        finished.add(last.cell.identity)
    cell_seconds = sum(planned.seconds for planned in to_do.values())
    return Forecast(places=places, seconds=now, busy=cell_seconds / (places * now) if now else 1.0, last=last)


def render_forecasts(forecasts: Sequence[Forecast]) -> str:
    """A table with one row per forecast; times are in hours."""
    rows = [
        (each.places, f"{each.seconds / 3600:,.1f}", f"{each.busy:.0%}", each.last.cell.name if each.last else "-")
        for each in forecasts
    ]
    return tabulate(rows, headers=("places", "hours", "busy", "ends last"), disable_numparse=True)


def _first_ready(
    waiting: Sequence[PlannedCell], to_do: dict[str, PlannedCell], finished: set[str]
) -> PlannedCell | None:
    return next((planned for planned in waiting if is_ready(planned, to_do, finished)), None)
