"""Trains each cell in several processes that a launcher such as `accelerate launch` started.

Process 0, the leader, runs the command as a single process would, and broadcasts every cell that it trains. The other
processes train the broadcast cells with it; they write and print nothing.
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
"""Commands that train cells without measuring costs."""
TIMEOUT = timedelta(days=1)
"""How long a collective operation waits: the leader evaluates alone. If the leader dies, the launcher ends the others."""


def run_distributed(command: Callable[[Namespace], int], arguments: Namespace) -> int:
    """Run a command in all processes of a launcher; returns the command's exit status in the leader, 0 in the others.

    Raises:
        InputError: the command or its options do not support several processes, or the command raises it.
    """
    if arguments.command not in COMMANDS:
        raise InputError(
            f"{arguments.command} runs in one process; only {', '.join(COMMANDS)} can be launched in several"
        )
    if arguments.ray or (arguments.workers or 1) > 1:
        raise InputError("launched processes train one cell at a time: leave out --ray and --workers")
    device = getattr(arguments, "device", None) or ""
    if ":" in device:
        raise InputError(f"each process uses its own GPU: pass --device cuda; got {device}")
    group = PartialState(cpu=device == "cpu", timeout=TIMEOUT)
    try:
        return _run_in_this_process(command, arguments)
    finally:
        group.destroy_process_group()


def _run_in_this_process(command: Callable[[Namespace], int], arguments: Namespace) -> int:
    team = Team.of_this_process()
    if not team.leads:
        _train_broadcast_cells(team, arguments.runs)
        return 0
    status = command(arguments)
    team.broadcast(None)  # no more cells; if the command raises, the other processes end when this process ends
    return status


def broadcast_cell(setup: CellSetup) -> None:
    """Make the other processes, if there are any, start to train this cell."""
    setup.problem.runtime.team.broadcast(setup.cell)


def _train_broadcast_cells(team: Team, runs: Path) -> None:
    """Train every cell that the leader broadcasts, until it broadcasts None."""
    materials, store = open_materials(usable_cores()), Store(folder=runs)
    with StopOnSignal() as stop:
        while cell := _receive_cell(team):
            setup = set_up(cell, materials, store, clocks=Clocks(), progress=silent, stop=stop.requested)
            with suppress(Interrupted, NonFiniteLossError, ValueError):  # raised in all processes at the same step
                setup.method.train(setup.problem)


def _receive_cell(team: Team) -> Cell | None:
    placeholder: Cell | None = None
    return team.broadcast(placeholder)
