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
from torch.distributed import distributed_c10d

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
FAILURE_TIMEOUT = timedelta(minutes=10)
"""How long a process whose training failed waits for the others to fail at the same step."""


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


def check_failed_everywhere(cell: Cell, team: Team) -> None:
    """Return once the training of a cell has failed in all processes; they can then go on with the next cell.

    Raises:
        InputError: another process has not failed, and so waits for this one in the middle of the training.
    """
    if team.size == 1:
        return
    store = distributed_c10d._get_default_store()  # noqa: SLF001  collective operations would mix with the training's
    keys = [f"failed {cell.identity} {rank}" for rank in range(team.size)]
    store.set(keys[team.rank], "")
    try:
        store.wait(keys, FAILURE_TIMEOUT)
    except RuntimeError as error:
        raise InputError(
            f"{cell.name} failed in process {team.rank} of {team.size} but not in all, so that none can go on; "
            "run the command again"
        ) from error


def _train_broadcast_cells(team: Team, runs: Path) -> None:
    """Train every cell that the leader broadcasts, until it broadcasts None."""
    materials, store = open_materials(usable_cores()), Store(folder=runs)
    with StopOnSignal() as stop:
        while cell := _receive_cell(team):
            setup = set_up(cell, materials, store, clocks=Clocks(), progress=silent, stop=stop.requested)
            with suppress(Interrupted):  # raised in all processes at the same step
                _train(setup, team)


def _train(setup: CellSetup, team: Team) -> None:
    """Train a cell; a failure of the cell in all processes is the leader's to record."""
    try:
        setup.method.train(setup.problem)
    except (NonFiniteLossError, ValueError) as error:
        try:
            check_failed_everywhere(setup.cell, team)
        except InputError as alone:
            raise InputError(f"{alone}: {error}") from error


def _receive_cell(team: Team) -> Cell | None:
    placeholder: Cell | None = None
    return team.broadcast(placeholder)
