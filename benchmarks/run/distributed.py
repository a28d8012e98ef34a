"""Each cell in several processes, which a launcher such as `accelerate launch` began.

Member 0 leads: it runs the command as a process by itself would. The others train along: they are told which cell is
trained next, and write and print nothing.
"""

from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from accelerate import PartialState

from autolora.compute.clocks import Clocks
from autolora.compute.process_group import Team
from autolora.compute.runtime import Interrupted, NonFiniteLossError, silent
from benchmarks.core.spec import InputError
from benchmarks.core.stopping import StopOnSignal
from benchmarks.run.cache import open_materials
from benchmarks.run.cell import CellSetup, set_up
from benchmarks.run.machine.environment import usable_cores
from benchmarks.run.plan import Cell
from benchmarks.store.store import Store

COMMANDS = ("run", "tune")
"""Those that train cells and measure no costs."""
PATIENCE = timedelta(days=1)
"""The others wait so long for the leader, which evaluates by itself; where it dies, the launcher ends them."""


def run_distributed(command: Callable[[Namespace], int], arguments: Namespace) -> int:
    """Run a command in all processes of a launcher; returns the leader's exit status, and 0 for the others.

    Raises:
        InputError: the command or its options are not for several processes; or as the command.
    """
    if arguments.command not in COMMANDS:
        raise InputError(f"{arguments.command} takes one process; {', '.join(COMMANDS)} can be launched in several")
    if arguments.ray or (arguments.workers or 1) > 1:
        raise InputError("processes that train together have one cell at a time: leave out --ray and --workers")
    device = getattr(arguments, "device", None) or ""
    if ":" in device:
        raise InputError(f"each process has a GPU of its own: say --device cuda; got {device}")
    group = PartialState(cpu=device == "cpu", timeout=PATIENCE)
    try:
        return _take_part(command, arguments)
    finally:
        group.destroy_process_group()


def _take_part(command: Callable[[Namespace], int], arguments: Namespace) -> int:
    team = Team.of_this_process()
    if not team.leads:
        _train_along(team, arguments.runs)
        return 0
    status = command(arguments)
    team.broadcast(None)  # where an error comes first, the others end with this process
    return status


def train_together(setup: CellSetup) -> None:
    """Let the other members, where there are any, train this cell along, from now on."""
    setup.problem.runtime.team.broadcast(setup.cell)


def _train_along(team: Team, runs: Path) -> None:
    """Train what the leader trains until it has nothing more."""
    materials, store = open_materials(usable_cores()), Store(folder=runs)
    with StopOnSignal() as stop:
        while cell := _next_cell(team):
            setup = set_up(cell, materials, store, clocks=Clocks(), progress=silent, stop=stop.requested)
            with suppress(Interrupted, NonFiniteLossError, ValueError):  # all members meet them at the same step
                setup.method.train(setup.problem)


def _next_cell(team: Team) -> Cell | None:
    unheard: Cell | None = None
    return team.broadcast(unheard)
