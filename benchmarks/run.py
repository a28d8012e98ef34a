"""Runs the cells of a plan, one after the other, and keeps each one's result."""

import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from math import inf, isfinite
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch import nn

from autolora.clocks import Clocks
from autolora.problem import Example, Outcome, Problem, ignore
from autolora.runtime import Interrupted, NonFiniteLossError, Progress, Runtime
from benchmarks import registry
from benchmarks.locks import held, is_held
from benchmarks.materials import Materials
from benchmarks.memory import peak_memory_bytes, reset_peak_memory
from benchmarks.models import Backbone
from benchmarks.nested import Table, build, digest, flat, merge, spread
from benchmarks.plan import Cell, PlannedCell
from benchmarks.procedure import HELD_OUT, EpochChoice, apply_procedure
from benchmarks.progress import RunProgress
from benchmarks.result import Result, Scores
from benchmarks.saving import save_adapter
from benchmarks.spec import InputError, Method, Prediction, Prepared, Task, TaskData
from benchmarks.store import CellFolder, Store, plain_predictions
from benchmarks.tracking import open_tracking

OUT_OF_MEMORY = (
    "Memory ran out: every batch was computed in twice as many parts, which moves numbers by rounding alone."
)


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
    results = {planned.cell.identity: planned.result for planned in plan if planned.done and planned.result}
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
    return [results[planned.cell.identity] for planned in plan]


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
        known = folder.result()
        if known and known.status == "done":
            return replace(known, preset=cell.preset, protocol=cell.protocol)
        return _run_cell(cell, store, materials, progress=progress, stop=stop)


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
    began = time.perf_counter()
    clocks = Clocks()
    reset_peak_memory(cell.config["device"])
    tracking = open_tracking(cell, store.folder)

    def told(step: Progress) -> None:
        progress(step)
        tracking.step(step)

    set_up = partial(Bench.set_up, cell, materials, store, clocks=clocks, progress=told, stop=stop)
    with clocks.measure("load"):
        bench = set_up()
    outcome: Outcome | None = None
    known: dict[str, Any] = {"status": "failed"}
    predictions: dict[str, Prediction] = {}
    try:
        bench, outcome = _train(bench, partial(set_up, halved=True))
        clocks.seconds.update(outcome.seconds)
        with clocks.measure("evaluate"):
            predictions = bench.predict(outcome.model)
            metrics = bench.score(predictions)
        known = _of_outcome(outcome) | {"status": "done", "metrics": metrics}
    except SafetensorError as error:
        raise InputError(f"{folder.checkpoints}: {error}; remove that folder to start the cell anew") from error
    except ImportError as error:  # an optional package; its message says how to install it
        raise InputError(str(error)) from error
    except (NonFiniteLossError, ValueError, RuntimeError, MemoryError) as error:
        if not _is_the_cells_own(error):
            raise
        known |= {"reason": _reason(error), "details": {"traceback": traceback.format_exc()}}
    result = Result(
        **known,
        **bench.description(),
        notes=(*bench.notes, *_all_alike(predictions, bench.method.title, cell.seed)),
        curve={str(epoch): scores for epoch, scores in folder.curve().items()},
        fingerprints={**cell.fingerprints, **_fingerprint(predictions)},
        seconds=clocks.seconds | {"total": time.perf_counter() - began},
        resumed=resumed,
        peak_memory_bytes=peak_memory_bytes(cell.config["device"]),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if outcome and cell.config["save_adapter"]:
        save_adapter(outcome.model, result, folder.path / "adapter")
    folder.write_result(result, predictions)
    tracking.end(result)
    return result


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One cell, set up."""

    cell: Cell
    task: Task
    method: Method
    data: TaskData
    backbone: Backbone
    prepared: Prepared
    problem: Problem
    choice: EpochChoice | None
    notes: Sequence[str]
    """What a reader of the result must know."""

    @classmethod
    def set_up(
        cls,
        cell: Cell,
        materials: Materials,
        store: Store,
        *,
        clocks: Clocks,
        progress: Callable[[Progress], None],
        stop: Callable[[], bool],
        halved: bool = False,
    ) -> "Bench":
        """Open what the cell needs. The problem that the method gets holds no evaluation data.

        Args:
            cell: what is run.
            materials: what cells share.
            store: where results and checkpoints are.
            clocks: told what takes how long.
            progress: told of every step.
            stop: answers True where the cell shall write a checkpoint and end.
            halved: compute every batch in twice as many parts: the same gradients with half of the memory.
        """
        config = cell.config
        kind = registry.method(cell.method)
        own = _in_smaller_parts(kind, config["method"]) if halved else config["method"]
        folder = cell.folder(store)
        task = registry.task(cell.task)
        data = materials.data(cell.task, config["data"], config["partial"])
        backbone = materials.backbone(config["model"])
        prepared = materials.prepared(
            cell.task, config["data"], config["partial"], config["model"], config["max_length"]
        )
        prepared = apply_procedure(prepared, config)
        transformers.set_seed(cell.seed)
        runtime = Runtime(
            device=config["device"],
            precision=config["precision"],
            checkpoints=folder.checkpoints,
            checkpoint_seconds=config["checkpoint_seconds"],
            clocks=clocks,
            progress=progress,
            stop=stop,
        )
        split = HELD_OUT if config["epoch"] == "held-out" else next(iter(prepared.evaluation))
        choice = EpochChoice(folder, split, task.metric) if config["epoch"] != "last" else None
        observe = _observer(task, prepared, folder, runtime, choice) if config["curve"] or choice else ignore
        problem = Problem(
            build_model=_timed(_builder(backbone, task, cell), clocks),
            train=prepared.train,
            collate=prepared.collate,
            head=backbone.new_modules(task.head),
            targets=tuple(config["targets"]) if config["targets"] else None,
            strata=prepared.strata,
            groups=prepared.groups if config["split_by"] == "input" else None,
            seed=cell.seed,
            ranks=needed_ranks(cell, store),
            observe=observe,
            score=partial(_score_of_examples, task, prepared, runtime),
            runtime=runtime,
        )
        return cls(
            cell=cell,
            task=task,
            method=build(kind, own, f"methods.{cell.method}"),
            data=data,
            backbone=backbone,
            prepared=prepared,
            problem=problem,
            choice=choice,
            notes=[*data.notes, *([OUT_OF_MEMORY] if halved else [])],
        )

    def predict(self, model: nn.Module) -> dict[str, Prediction]:
        """Evaluation split -> what the model says, the chosen epoch's where one is chosen."""
        if self.choice:
            return self.choice.predictions()
        return predict(self.task, model, self.prepared, self.problem.runtime)

    def score(self, predictions: Mapping[str, Prediction]) -> dict[str, Scores]:
        """Evaluation split -> metrics."""
        return score(self.task, predictions)

    def description(self) -> dict[str, Any]:
        """The fields of a result that were settled before the training."""
        cell = self.cell
        return {
            "task": cell.task,
            "method": cell.method,
            "seed": cell.seed,
            "preset": cell.preset,
            "protocol": cell.protocol,
            "task_title": self.task.title,
            "method_title": self.method.title,
            "metric": self.task.metric,
            "split": next(iter(self.prepared.evaluation)),
            "config": cell.config,
            "identity": cell.identity,
            "configuration": cell.configuration,
            "versions": cell.versions,
            "model_title": self.backbone.title,
            "model_parameters": self.backbone.parameters,
            "data_source": self.data.source,
            "partial": self.data.partial,
            "rows": {split: len(rows) for split, rows in self.data.splits.items()},
            "environment": cell.environment,
        }


def _train(bench: Bench, halved: Callable[[], Bench]) -> tuple[Bench, Outcome]:
    """Train; where memory runs out, once more with every batch in twice as many parts."""
    try:
        return bench, bench.method.train(bench.problem)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
    torch.cuda.empty_cache()  # only here: an error that is being handled holds on to what filled the memory
    with bench.problem.runtime.clocks.measure("load"):
        smaller = halved()
    return smaller, smaller.method.train(smaller.problem)


def needed_ranks(cell: Cell, store: Store) -> Mapping[str, int] | None:
    """The ranks that the cell starts from; None where it starts from none, or the cell that has them failed."""
    result = cell.needs.folder(store).result() if cell.needs else None
    return result.ranks if result and result.status == "done" else None


def predict(task: Task, model: nn.Module, prepared: Prepared, runtime: Runtime) -> dict[str, Prediction]:
    """Run the model over all evaluation splits."""
    return {split: task.predict(model, examples, prepared, runtime) for split, examples in prepared.evaluation.items()}


def score(task: Task, predictions: Mapping[str, Prediction]) -> dict[str, Scores]:
    """All metrics; None where one is not defined for these predictions."""
    return {
        split: {name: value if isfinite(value) else None for name, value in task.score(prediction).items()}
        for split, prediction in predictions.items()
    }


def _builder(backbone: Backbone, task: Task, cell: Cell) -> Callable[[], nn.Module]:
    return backbone.builder(
        task.num_labels,
        cell.seed,
        cell.config["dropout"],
        task.head,
        label_smoothing=cell.config["label_smoothing"],
        checkpointing=cell.config["gradient_checkpointing"],
    )


def _timed(build_model: Callable[[], nn.Module], clocks: Clocks) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        with clocks.measure("load"):
            return build_model()

    return build


def _score_of_examples(
    task: Task, prepared: Prepared, runtime: Runtime, model: nn.Module, examples: Sequence[Example]
) -> float:
    """The headline metric; where it is not defined, nothing is worse."""
    value = task.score(task.predict(model, examples, prepared, runtime))[task.metric]
    return value if isfinite(value) else -inf


def _observer(
    task: Task, prepared: Prepared, folder: CellFolder, runtime: Runtime, choice: EpochChoice | None
) -> Callable[[nn.Module, int], None]:
    """Keeps each epoch's metrics; an epoch that is trained again after an interruption takes its old place."""

    def observe(model: nn.Module, epoch: int) -> None:
        with runtime.clocks.measure("evaluate"):
            predictions = predict(task, model, prepared, runtime)
            curve = folder.curve() | {epoch: score(task, predictions)}
            if choice:
                choice.consider(epoch, predictions, curve)
            folder.write_curve(curve)

    return observe


def _of_outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "ranks": outcome.ranks,
        "trainable_parameters": outcome.trainable_parameters,
        "head_parameters": outcome.head_parameters,
        "details": outcome.details,
    }


def _fingerprint(predictions: Mapping[str, Prediction]) -> dict[str, str]:
    return {"predictions": digest(plain_predictions(predictions))} if predictions else {}


def _in_smaller_parts(kind: type, settings: Table) -> Table:
    """A method's settings with twice as many parts of a batch, wherever it trains."""
    parts = {int(value) for name, value in flat(settings).items() if name.endswith("training.micro_batches")}
    return merge(settings, spread(kind, "training", {"micro_batches": 2 * max(parts, default=1)}))


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
