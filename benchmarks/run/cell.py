"""Sets up a cell: its task, data, backbone and method, and the problem that the method trains on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from typing import Any

import transformers
from torch import nn

from autolora.compute.clocks import Clocks
from autolora.compute.runtime import Progress, Runtime
from autolora.problem import Example, Problem, ignore, keep_head
from benchmarks.core import registry
from benchmarks.core.nested import Table, build, flat, merge, spread
from benchmarks.core.spec import Method, Prediction, Prepared, Task, TaskData
from benchmarks.data.models.backbones import Backbone
from benchmarks.data.models.linear_probe import fit_head
from benchmarks.run.cache import Materials
from benchmarks.run.plan import Cell
from benchmarks.run.procedure import HELD_OUT, EpochChoice, apply_procedure
from benchmarks.store.result import Scores
from benchmarks.store.store import CellFolder, Store
from benchmarks.tasks.families.answering import answered_with
from benchmarks.tasks.families.collapse import has_collapsed

OUT_OF_MEMORY = "Memory ran out: batches were computed in twice as many parts, with other rounding and dropout masks."

REPEATED = 16
"""Number of examples that are evaluated twice, to check that evaluation is deterministic."""


@dataclass(frozen=True, kw_only=True)
class CellSetup:
    """Everything that one cell needs; its problem holds no evaluation data."""

    cell: Cell
    task: Task
    method: Method
    data: TaskData
    backbone: Backbone
    prepared: Prepared
    problem: Problem
    choice: EpochChoice | None
    """Chooses the epoch whose predictions are scored; None: the last epoch."""
    notes: Sequence[str]
    """Remarks for readers of the result."""

    def predict(self, model: nn.Module) -> dict[str, Prediction]:
        """Evaluation split -> predictions of the model, or those of the chosen epoch where the protocol chooses one."""
        if self.choice:
            return self.choice.predictions()
        return predict(self.task, model, self.prepared, self.problem.runtime)

    def evaluation_repeats(self, model: nn.Module) -> bool:
        """Whether two evaluations of the model are bitwise equal, so that dropout and the like are off."""
        examples = next(iter(self.prepared.evaluation.values()))[:REPEATED]
        first, second = (self.task.predict(model, examples, self.prepared, self.problem.runtime) for _ in range(2))
        return first == second

    def score(self, predictions: Mapping[str, Prediction]) -> dict[str, Scores]:
        """Evaluation split -> metrics."""
        return score(self.task, predictions)

    def has_collapsed(self, predictions: Mapping[str, Prediction]) -> bool:
        """Whether the training has learned nothing, by the predictions on the headline split."""
        return has_collapsed(self.task, predictions[self.split])

    @property
    def split(self) -> str:
        """Name of the headline split."""
        return next(iter(self.prepared.evaluation))

    def description(self) -> dict[str, Any]:
        """The fields of a result that are known before the training."""
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
            "split": self.split,
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


def set_up(
    cell: Cell,
    materials: Materials,
    store: Store,
    *,
    clocks: Clocks,
    progress: Callable[[Progress], None],
    stop: Callable[[], bool],
    halved: bool = False,
) -> CellSetup:
    """Load what the cell needs, and seed all random number generators with the cell's seed.

    Args:
        cell: the cell.
        materials: cache of data, backbones and tokenised examples.
        store: folder of results and checkpoints.
        clocks: measure loading and evaluation.
        progress: called after every optimisation step.
        stop: returns True once the cell shall write a checkpoint and end.
        halved: compute every batch in twice as many parts: equal gradients with half of the memory.

    Raises:
        InputError: data or backbone are missing, or the method's settings are invalid.
    """
    task = answered_with(registry.task(cell.task), cell.config["answers"])
    data, backbone, prepared = _load(cell, materials)
    transformers.set_seed(cell.seed)
    runtime = _runtime(cell, store, clocks=clocks, progress=progress, stop=stop)
    choice = _choice(cell, store, task, prepared)
    return CellSetup(
        cell=cell,
        task=task,
        method=_method(cell, halved=halved),
        data=data,
        backbone=backbone,
        prepared=prepared,
        problem=_problem(cell, store, task=task, backbone=backbone, prepared=prepared, runtime=runtime, choice=choice),
        choice=choice,
        notes=[*data.notes, *prepared.notes, *([OUT_OF_MEMORY] if halved else [])],
    )


def _load(cell: Cell, materials: Materials) -> tuple[TaskData, Backbone, Prepared]:
    """The cell's rows and backbone, and the examples that it is trained and scored on."""
    config = cell.config
    rows = (cell.task, config["data"], config["partial"])
    data, backbone = materials.data(*rows), materials.backbone(config["model"])
    prepared = materials.prepared(*rows, config["model"], config["max_length"], answers=config["answers"])
    return data, backbone, apply_procedure(prepared, config)


def _runtime(cell: Cell, store: Store, **callbacks: Any) -> Runtime:
    names = ("device", "precision", "graphs", "onednn", "checkpoint_seconds")
    conditions = {name: cell.config[name] for name in names}
    return Runtime(**conditions, checkpoints=cell.folder(store).checkpoints, **callbacks)


def _method(cell: Cell, *, halved: bool) -> Method:
    kind, settings = registry.method(cell.method), cell.config["method"]
    return build(kind, _in_smaller_parts(kind, settings) if halved else settings, f"methods.{cell.method}")


def _choice(cell: Cell, store: Store, task: Task, prepared: Prepared) -> EpochChoice | None:
    """How the protocol chooses an epoch; None: the last epoch is evaluated."""
    if cell.config["epoch"] == "last":
        return None
    split = HELD_OUT if cell.config["epoch"] == "held-out" else next(iter(prepared.evaluation))
    return EpochChoice(cell.folder(store), split, task.metric)


def _problem(
    cell: Cell,
    store: Store,
    *,
    task: Task,
    backbone: Backbone,
    prepared: Prepared,
    runtime: Runtime,
    choice: EpochChoice | None,
) -> Problem:
    """The problem that the method trains on; it holds no evaluation data."""
    config = cell.config
    observed = config["curve"] or choice
    return Problem(
        build_model=_timed(_builder(backbone, task, cell), runtime.clocks),
        train=prepared.train,
        collate=prepared.collate,
        head=backbone.new_modules(task.head),
        fit_head=_linear_probe(cell, backbone.new_modules(task.head), prepared, runtime),
        targets=config["targets"],
        strata=prepared.strata,
        groups=prepared.groups if config["split_by"] == "input" else None,
        seed=cell.seed,
        ranks=needed_ranks(cell, store),
        observe=_observer(task, prepared, cell.folder(store), runtime, choice) if observed else ignore,
        score=partial(_score_of_examples, task, prepared, runtime),
        runtime=runtime,
    )


def needed_ranks(cell: Cell, store: Store) -> Mapping[str, int] | None:
    """The ranks that the cell starts from; None where it needs no ranks, or where the cell that finds them failed."""
    result = cell.needs.folder(store).result() if cell.needs else None
    return result.ranks if result and result.status == "done" else None


def predict(task: Task, model: nn.Module, prepared: Prepared, runtime: Runtime) -> dict[str, Prediction]:
    """Run the model over all evaluation splits."""
    return {split: task.predict(model, examples, prepared, runtime) for split, examples in prepared.evaluation.items()}


def score(task: Task, predictions: Mapping[str, Prediction]) -> dict[str, Scores]:
    """Evaluation split -> all metrics; a metric that is undefined for these predictions is None."""
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


def _linear_probe(
    cell: Cell, head: tuple[str, ...], prepared: Prepared, runtime: Runtime
) -> Callable[[nn.Module, Sequence[Example]], None]:
    """How a new head gets its initial values; a pretrained language model has no new head."""
    number = cell.config["linear_probe"]
    if not number or not head:
        return keep_head

    def fit(model: nn.Module, examples: Sequence[Example]) -> None:
        with runtime.clocks.measure("linear_probe"):
            fit_head(model, examples, number=number, head=head, collate=prepared.collate, device=runtime.device)

    return fit


def _timed(build_model: Callable[[], nn.Module], clocks: Clocks) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        with clocks.measure("load"):
            return build_model()

    return build


def _score_of_examples(
    task: Task, prepared: Prepared, runtime: Runtime, model: nn.Module, examples: Sequence[Example]
) -> float:
    """The headline metric; minus infinity where it is undefined."""
    value = task.score(task.predict(model, examples, prepared, runtime))[task.metric]
    return value if isfinite(value) else -inf


def _observer(
    task: Task, prepared: Prepared, folder: CellFolder, runtime: Runtime, choice: EpochChoice | None
) -> Callable[[nn.Module, int], None]:
    """Writes the metrics of every epoch; an epoch that is repeated after an interruption replaces its old metrics."""

    def observe(model: nn.Module, epoch: int) -> None:
        with runtime.clocks.measure("evaluate"):
            predictions = predict(task, model, prepared, runtime)
            if not runtime.team.leads:
                return
            curve = folder.curve() | {epoch: score(task, predictions)}
            if choice:
                choice.consider(epoch, predictions, curve)
            folder.write_curve(curve)

    return observe


def _in_smaller_parts(kind: type, settings: Table) -> Table:
    """A method's settings with twice as many parts per batch in each of its trainings."""
    micro_batches = {int(value) for name, value in flat(settings).items() if name.endswith("training.micro_batches")}
    return merge(settings, spread(kind, "training", {"micro_batches": 2 * max(micro_batches, default=1)}))
