"""Runs the cells of a plan, one after the other, and keeps each one's result."""

import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from autolora.compute.clocks import Clocks
from autolora.compute.runtime import Interrupted, NonFiniteLossError, Progress, silent
from autolora.problem import Outcome
from benchmarks.core.locks import held
from benchmarks.core.nested import digest
from benchmarks.core.spec import InputError, Prediction
from benchmarks.run.cache import Materials
from benchmarks.run.cell import CellSetup, set_up
from benchmarks.run.distributed import train_together
from benchmarks.run.machine.memory import peak_memory_bytes, reset_peak_memory, return_freed_memory
from benchmarks.run.plan import Cell, PlannedCell
from benchmarks.run.progress import RunProgress
from benchmarks.run.saving import save_adapter
from benchmarks.run.schedule import next_cell, results_at_hand, results_in_order
from benchmarks.run.tracking import open_tracking
from benchmarks.store.result import Result
from benchmarks.store.store import Store, plain_predictions


def run(
    plan: Sequence[PlannedCell], store: Store, materials: Materials, progress: RunProgress, stop: Callable[[], bool]
) -> list[Result]:
    """Run what is not done; a cell that fails is kept as failed, and the others go on.

    Returns:
        One result per cell of the plan, in its order.

    Raises:
        Interrupted: stop answered True; the next run goes on from there.
        InputError: the store cannot be written, the data or the backbone have gone, or a package is missing.
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
    """Train and evaluate one cell, and write its result; one that another run has finished meanwhile is done."""
    folder = cell.folder(store)
    with held(folder.path, stop):
        folder.sweep()
        known = folder.result()
        if known and known.status == "done":
            return replace(known, preset=cell.preset, protocol=cell.protocol)
        return _run_cell(cell, store, materials, progress=progress, stop=stop)


def fail_cell(cell: Cell, store: Store, materials: Materials, reason: str, *, stop: Callable[[], bool]) -> Result:
    """Keep a cell as failed that cannot say so itself, because its processes were killed."""
    began = time.perf_counter()
    folder = cell.folder(store)
    with held(folder.path, stop):
        setup = set_up(cell, materials, store, clocks=Clocks(), progress=silent, stop=stop)
        result = Result(
            **setup.description(),
            status="failed",
            reason=reason,
            notes=tuple(setup.notes),
            fingerprints=cell.fingerprints,
            seconds={"total": time.perf_counter() - began},
            resumed=False,
            finished=_now(),
        )
        folder.write_result(result, {})
        return result


def _run_cell(
    cell: Cell,
    store: Store,
    materials: Materials,
    *,
    progress: Callable[[Progress], None],
    stop: Callable[[], bool],
) -> Result:
    folder = cell.folder(store)
    resumed = folder.checkpoints.is_dir() and any(folder.checkpoints.iterdir())
    return_freed_memory()
    began = time.perf_counter()
    clocks = Clocks()
    reset_peak_memory(cell.config["device"])
    tracking = open_tracking(cell, store.folder)

    def told(step: Progress) -> None:
        progress(step)
        tracking.step(step)

    begin = partial(set_up, cell, materials, store, clocks=clocks, progress=told, stop=stop)
    with clocks.measure("load"):
        setup = begin()
    outcome: Outcome | None = None
    known: dict[str, Any] = {"status": "failed"}
    predictions: dict[str, Prediction] = {}
    try:
        setup, outcome = _train(setup, partial(begin, halved=True))
        clocks.seconds.update(outcome.seconds)
        with clocks.measure("evaluate"):
            predictions = setup.predict(outcome.model)
            details = {**outcome.details, "evaluation_repeats": setup.repeats(outcome.model)}
            metrics = setup.score(predictions)  # last, as an error of it would leave other members waiting
        known = _of_outcome(outcome) | {"status": "done", "metrics": metrics, "details": details}
    except ImportError as error:  # an optional package; its message says how to install it
        raise InputError(str(error)) from error
    except (NonFiniteLossError, ValueError, RuntimeError, MemoryError) as error:
        if not _is_the_cells_own(error):
            raise
        known |= {"reason": _reason(error), "details": {"traceback": traceback.format_exc()}}
    result = Result(
        **known,
        **setup.description(),
        notes=(*setup.notes, *_all_alike(predictions, setup.method.title, cell.seed)),
        curve={str(epoch): scores for epoch, scores in folder.curve().items()},
        fingerprints={**cell.fingerprints, **_fingerprint(predictions)},
        seconds=clocks.seconds | {"total": time.perf_counter() - began},
        resumed=resumed,
        peak_memory_bytes=peak_memory_bytes(cell.config["device"]),
        finished=_now(),
    )
    if outcome and cell.config["save_adapter"]:
        save_adapter(outcome.model, result, folder.path / "adapter")
    folder.write_result(result, predictions)
    tracking.end(result)
    return result


def _train(setup: CellSetup, halved: Callable[[], CellSetup]) -> tuple[CellSetup, Outcome]:
    """Train; where memory runs out, once more with every batch in twice as many parts."""
    train_together(setup)
    try:
        return setup, setup.method.train(setup.problem)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        if (processes := setup.problem.runtime.team.size) > 1:
            raise InputError(
                f"memory ran out in one of {processes} processes: say --set training.micro_batches=2, or begin more of them"
            ) from error
    torch.cuda.empty_cache()  # only here: an error that is being handled holds on to what filled the memory
    with setup.problem.runtime.clocks.measure("load"):
        smaller = halved()
    return smaller, smaller.method.train(smaller.problem)


def _of_outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "ranks": outcome.ranks,
        "trainable_parameters": outcome.trainable_parameters,
        "head_parameters": outcome.head_parameters,
        "details": outcome.details,
    }


def _fingerprint(predictions: Mapping[str, Prediction]) -> dict[str, str]:
    return {"predictions": digest(plain_predictions(predictions))} if predictions else {}


def _all_alike(predictions: Mapping[str, Prediction], method: str, seed: int) -> list[str]:
    """That a model says the same to everything, split by split, though it should not."""
    return [
        f"{method}, seed {seed}: all {len(found.predictions)} answers on {split} are the same."
        for split, found in predictions.items()
        if len(set(map(str, found.predictions))) == 1 < len(set(map(str, found.labels)))
    ]


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or bool(
        re.search("out of memory|can't allocate memory", str(error), re.IGNORECASE)
    )


def _is_the_cells_own(error: BaseException) -> bool:
    """Whether an error says something of this cell (its numbers, settings or size) and nothing of the others."""
    return not isinstance(error, RuntimeError) or "memory" in str(error)


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
