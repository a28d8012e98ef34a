"""Runs the cells of a plan one after another, and writes the result of each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from autolora.compute.clocks import Clocks
from autolora.compute.runtime import Interrupted, Progress, silent
from benchmarks.core.locks import held
from benchmarks.run.attempt import Attempt
from benchmarks.run.cache import Materials
from benchmarks.run.cell import set_up
from benchmarks.run.distributed import broadcast_cell, check_failed_everywhere
from benchmarks.run.machine.memory import peak_memory_bytes, reset_peak_memory, return_freed_memory
from benchmarks.run.plan import Cell, PlannedCell
from benchmarks.run.progress import RunProgress
from benchmarks.run.saving import save_adapter
from benchmarks.run.schedule import next_cell, results_at_hand, results_in_order
from benchmarks.run.tracking import open_tracking
from benchmarks.store.result import Result
from benchmarks.store.store import Store


def run(
    plan: Sequence[PlannedCell], store: Store, materials: Materials, progress: RunProgress, stop: Callable[[], bool]
) -> list[Result]:
    """Run the cells that are not done; a cell that fails gets a failed result, and the run continues.

    Returns:
        One result per cell of the plan, in the plan's order.

    Raises:
        Interrupted: stop returned True; the next run continues from the checkpoints.
        InputError: the store is not writable, or data, a backbone or a package are missing.
    """
    store.check_writable()
    results = results_at_hand(plan)
    waiting = [planned for planned in plan if not planned.done]
    while waiting:
        planned = next_cell(waiting, store) or waiting[0]
        waiting.remove(planned)
        progress.begin(planned)
        result = run_cell(planned.cell, store, materials, progress=partial(progress.step, planned), stop=stop)
        progress.end(planned, result)
        results[planned.cell.identity] = result
        if stop() and waiting:
            raise Interrupted(f"stopped after {planned.cell.name}")
    return results_in_order(plan, results)


def run_cell(
    cell: Cell,
    store: Store,
    materials: Materials,
    *,
    progress: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> Result:
    """Train and evaluate one cell and write its result, unless another run has finished the cell in the meantime."""
    folder = cell.folder(store)
    with held(folder.path, stop):
        folder.sweep()
        known = folder.result()
        if known and known.status == "done":
            return replace(known, preset=cell.preset, protocol=cell.protocol)
        resumed = folder.checkpoints.is_dir() and any(folder.checkpoints.iterdir())
        return_freed_memory()
        reset_peak_memory(cell.config["device"])
        tracking, clocks = open_tracking(cell, store.folder), Clocks()
        begin = partial(set_up, cell, materials, store, progress=_both(progress, tracking.step), stop=stop)
        attempt = Attempt(set_up=partial(begin, clocks=clocks), clocks=clocks)
        with attempt.failure_recorded():
            broadcast_cell(attempt.setup)
            while attempt.outcome is None:
                with attempt.halving_batches():
                    attempt.outcome = attempt.setup.method.train(attempt.setup.problem)
            attempt.evaluate(attempt.outcome)
        result = attempt.result(
            curve={str(epoch): scores for epoch, scores in folder.curve().items()},
            resumed=resumed,
            peak_memory_bytes=peak_memory_bytes(cell.config["device"]),
        )
        if attempt.outcome and cell.config["save_adapter"]:
            save_adapter(attempt.outcome.model, result, folder.path / "adapter")
        folder.write_result(result, attempt.predictions)
        tracking.end(result)
        if not attempt.trained:
            check_failed_everywhere(cell, attempt.setup.problem.runtime.team)
        return result


def fail_cell(cell: Cell, store: Store, materials: Materials, reason: str, *, stop: Callable[[], bool]) -> Result:
    """Write a failed result for a cell whose processes were killed, so that they could not write one."""
    folder, clocks = cell.folder(store), Clocks()
    with held(folder.path, stop):
        attempt = Attempt(
            set_up=partial(set_up, cell, materials, store, clocks=clocks, progress=silent, stop=stop),
            clocks=clocks,
            fields={"status": "failed", "reason": reason},
        )
        result = attempt.result(resumed=False)
        folder.write_result(result, {})
        return result


def _both(first: Callable[[Progress], None], second: Callable[[Progress], None]) -> Callable[[Progress], None]:
    def tell(step: Progress) -> None:
        first(step)
        second(step)

    return tell
