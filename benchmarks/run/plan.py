"""Which cells a run has, which of them are done, and how long the others will take."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

import torch

from autolora.compute.onednn import has_onednn, linear
from benchmarks.core import registry
from benchmarks.core.identity import settings_that_count
from benchmarks.core.nested import build, digest
from benchmarks.core.registry import canonical
from benchmarks.core.settings import Settings, resolve
from benchmarks.core.spec import InputError, Method, Row, Task, TaskData
from benchmarks.data.models import backbones
from benchmarks.run.cache import Materials
from benchmarks.run.machine import environment
from benchmarks.store.result import Environment, Result
from benchmarks.store.store import CellFolder, Store

TOKENS_PER_WORD = 1.4
BEAMS = 10
EFFICIENCY = {"fp32": 0.9, "bf16": 0.5}
"""Share of the matrix-product rate that training reaches, by precision: MiniLM on one core of an AMD EPYC; with bf16
the steps around the products weigh more."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A task, a method and a seed, with all that decides the numbers."""

    task: str
    method: str
    seed: int
    preset: str
    protocol: str
    config: Mapping[str, Any]
    versions: Mapping[str, int]
    fingerprints: Mapping[str, str]
    environment: Environment
    needs: "Cell | None" = None
    """The cell whose ranks this one starts from."""

    @cached_property
    def configuration(self) -> str:
        """sha256 of all that decides the numbers but the seed and the environment."""
        settings = settings_that_count(self.config)
        return digest([self.task, self.method, settings, dict(self.versions), dict(self.fingerprints)])

    @cached_property
    def identity(self) -> str:
        """sha256 of all that decides the numbers but the environment."""
        return digest([self.configuration, self.seed])

    @property
    def name(self) -> str:
        """As progress and messages say it."""
        return f"{self.task} {self.method} seed {self.seed}"

    def folder(self, store: Store) -> CellFolder:
        """Where the store keeps it."""
        return store.cell(self.task, self.method, self.identity, self.environment.key)


@dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """A cell, and what is known of it before the run."""

    cell: Cell
    result: Result | None
    """What the store has: done, failed, or nothing."""
    seconds: float
    """Estimated, or measured where it is done."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.result is not None and self.result.status == "done"


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What a plan for another machine takes as given; none of it reaches a cell."""

    rate: float | None = None
    """Floating-point operations per second that the device reaches in training steps; None: estimated from how fast
    this one is."""
    published_rows: bool = False
    """Count the rows that the paper's data sets have (Table 6), not those at hand."""

    def __post_init__(self) -> None:
        if self.rate is not None and not self.rate > 0:
            raise InputError(f"a rate is a number of operations per second, above 0; got {self.rate}")


def make_plan(
    settings: Settings,
    tasks: Sequence[str],
    methods: Sequence[str],
    store: Store,
    materials: Materials,
    *,
    assumed: Assumptions | None = None,
) -> list[PlannedCell]:
    """All cells of tasks x methods x the settings' seeds, in the order they are run in.

    Raises:
        InputError: a name or a setting is unknown, data or a backbone are not at hand.
    """
    known = [result for result in store.results() if result.status == "done"]
    estimate = Estimate(known, materials, assumed or Assumptions())
    cells = make_cells(settings, tasks, methods, materials)
    return [_look_up(cell, store, estimate) for cell in cells]


def make_cells(settings: Settings, tasks: Sequence[str], methods: Sequence[str], materials: Materials) -> list[Cell]:
    """The cells, task by task, each after the one that it needs; all settings are checked before any data is read."""
    tasks, methods = [canonical(task) for task in tasks], [canonical(method) for method in methods]
    needed = [name for method in methods if (name := registry.needed(method)) and name not in methods]
    every = list(dict.fromkeys([*needed, *methods]))
    configs = {(task, method): _on_this_machine(resolve(settings, task, method)) for task in tasks for method in every}
    versions = {
        pair: {"task": registry.task(pair[0]).version, "method": registry.method(pair[1]).version} for pair in configs
    }
    describe = lru_cache(environment.describe)

    def make(task: str, method: str, seed: int) -> Cell:
        config = configs[task, method]
        data = materials.data(task, config["data"], config["partial"])
        fingerprints = {"data": data.fingerprint, "model": backbones.fingerprint(config["model"])}
        name = registry.needed(method)
        needs = make(task, name, seed) if name else None
        return Cell(
            task=task,
            method=method,
            seed=seed,
            preset=settings.preset,
            protocol=settings.protocol,
            config=config,
            versions=versions[task, method],
            fingerprints=fingerprints | ({"ranks": needs.configuration} if needs else {}),
            environment=describe(config["device"], config["precision"]),
            needs=needs,
        )

    cells = [make(task, method, seed) for task in tasks for method in every for seed in settings.seeds]
    return sorted(cells, key=lambda cell: (tasks.index(cell.task), cell.needs is not None))


class Estimate:
    """Seconds that a cell takes: measured where the same configuration ran here before, else by arithmetic."""

    def __init__(self, results: Sequence[Result], materials: Materials, assumed: Assumptions) -> None:
        self._materials = materials
        self._assumed = assumed
        self._rates: dict[tuple[str, str], float] = {}
        self._measured: dict[tuple[str, str], list[float]] = {}
        for result in results:
            if not result.resumed and not assumed.rate:  # what was measured, was measured here
                key = (result.configuration, result.environment.key)
                self._measured.setdefault(key, []).append(result.seconds["total"])

    def seconds(self, cell: Cell) -> float:
        """Of the whole cell."""
        measured = self._measured.get((cell.configuration, cell.environment.key))
        return statistics.mean(measured) if measured else self._operations(cell) / self._rate(cell.config)

    def _operations(self, cell: Cell) -> float:
        task = registry.task(cell.task)
        data = self._materials.data(cell.task, cell.config["data"], cell.config["partial"])
        weights = self._materials.backbone(cell.config["model"]).multiplied
        tokens: float = min(mean_tokens(data), cell.config["max_length"])
        method: Method = build(registry.method(cell.method), cell.config["method"], f"methods.{cell.method}")
        train = sum(map(_texts, data.splits["train"]))
        trained, scored = method.work(train), evaluated_examples(task, data)
        if self._assumed.published_rows and data.published_rows:
            trained = method.work(data.published_rows["train"])
            scored = sum(data.published_rows[split] for split in task.evaluation_splits)
        return weights * tokens * (4 * trained + 2 * scored)  # of the weights only LoRA's have gradients

    def _rate(self, config: Mapping[str, Any]) -> float:
        key = (config["device"], config["precision"])
        if key not in self._rates:
            self._rates[key] = self._assumed.rate or EFFICIENCY[config["precision"]] * matmul_rate(*key)
        return self._rates[key]


def mean_tokens(data: TaskData) -> float:
    """Roughly, from the words of the first training examples."""
    rows = list(islice(data.splits["train"], 200))
    words = [sum(len(value.split()) for value in row.values() if isinstance(value, str)) for row in rows]
    told = [len(row["texts"][0].split()) for row in rows if row.get("texts")]
    return TOKENS_PER_WORD * (statistics.mean(words) + (statistics.mean(told) if told else 0)) + 3


def _texts(row: Row) -> int:
    """Examples that a row makes: one per text where it has several."""
    return len(row["texts"]) if "texts" in row else 1


def evaluated_examples(task: Task, data: TaskData) -> int:
    """Examples of all evaluation splits; a text that is written counts for every hypothesis that is followed."""
    rows = sum(len(data.splits[split]) for split in task.evaluation_splits)
    return BEAMS * rows if task.head == "language" else rows


def matmul_rate(device: str, precision: str, *, onednn: bool = False) -> float:
    """Floating-point operations per second of this device in matrix products of a transformer's size."""
    size = 8192 if torch.device(device).type == "cuda" else 768
    generator = torch.Generator(device).manual_seed(0)  # a device may be faster on numbers that are all alike
    matrix = torch.rand(size, size, generator=generator, device=device)
    matrix = matrix.to(torch.bfloat16 if precision == "bf16" else torch.float32)
    product = linear if onednn and precision == "fp32" and has_onednn(device) else torch.matmul
    fastest = min(_product_seconds(product, matrix) for _ in range(10))
    return float(2 * size**3 / fastest)


def _product_seconds(product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], matrix: torch.Tensor) -> float:
    started = time.perf_counter()
    float(product(matrix, matrix)[0, 0])  # fetched, so that an accelerator has finished
    return time.perf_counter() - started


def _look_up(cell: Cell, store: Store, estimate: Estimate) -> PlannedCell:
    result = cell.folder(store).result()
    if result:  # another preset may have run it: here it stands in this one's tables
        result = replace(result, preset=cell.preset, protocol=cell.protocol)
    done = result is not None and result.status == "done"
    seconds = result.seconds["total"] if result and done else estimate.seconds(cell)
    return PlannedCell(cell=cell, result=result, seconds=seconds)


def _on_this_machine(config: dict[str, Any]) -> dict[str, Any]:
    device = environment.resolve_device(config["device"])
    return config | {"device": device, "precision": environment.resolve_precision(config["precision"], device)}
