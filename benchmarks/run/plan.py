"""The cells of a run: which of them are done, and how long the others are estimated to take."""

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
"""Precision -> share of the matrix-product rate that training reaches, for MiniLM on one core of an AMD EPYC. It is lower
in bf16, where the other operations of a step take a larger share of the time."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A task, a method and a seed, with everything that determines the result."""

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
        """sha256 of everything that determines the result except the seed and the environment."""
        settings = settings_that_count(self.config)
        return digest([self.task, self.method, settings, dict(self.versions), dict(self.fingerprints)])

    @cached_property
    def identity(self) -> str:
        """sha256 of everything that determines the result except the environment."""
        return digest([self.configuration, self.seed])

    @property
    def name(self) -> str:
        """The cell's name in progress output and messages."""
        return f"{self.task} {self.method} seed {self.seed}"

    def folder(self, store: Store) -> CellFolder:
        """The cell's folder in a store."""
        return store.cell(self.task, self.method, self.identity, self.environment.key)


@dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """A cell, its stored result and its estimated time, as known before the run."""

    cell: Cell
    result: Result | None
    """The result in the store, done or failed; None where there is no result."""
    seconds: float
    """Estimated time of the cell; measured time where the cell is done."""

    @property
    def done(self) -> bool:
        """Whether the store has a result that did not fail."""
        return self.result is not None and self.result.status == "done"


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Assumptions for estimates of another machine's time; they change no cell."""

    rate: float | None = None
    """Floating-point operations per second that the device reaches in training steps; None: measured on this machine."""
    published_rows: bool = False
    """Use the numbers of rows in the paper's data sets (Table 6), not those of the local data."""

    def __post_init__(self) -> None:
        if self.rate is not None and not self.rate > 0:
            raise InputError(f"rate is a number of operations per second, above 0; got {self.rate}")


def make_plan(
    settings: Settings,
    tasks: Sequence[str],
    methods: Sequence[str],
    store: Store,
    materials: Materials,
    *,
    assumed: Assumptions | None = None,
) -> list[PlannedCell]:
    """All cells of tasks x methods x the settings' seeds, in the order in which they are run.

    Raises:
        InputError: a name or a setting is unknown, or data or a backbone are missing.
    """
    known = [result for result in store.results() if result.status == "done"]
    estimate = Estimate(known, materials, assumed or Assumptions())
    cells = make_cells(settings, tasks, methods, materials)
    return [_look_up(cell, store, estimate) for cell in cells]


def make_cells(settings: Settings, tasks: Sequence[str], methods: Sequence[str], materials: Materials) -> list[Cell]:
    """The cells, task by task, each after the cell that it needs; all settings are checked before any data is read."""
    tasks, methods = [canonical(task) for task in tasks], [canonical(method) for method in methods]
    needed = [name for method in methods if (name := registry.needed(method)) and name not in methods]
    all_methods = list(dict.fromkeys([*needed, *methods]))
    configs = {
        (task, method): _on_this_machine(resolve(settings, task, method)) for task in tasks for method in all_methods
    }
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
            environment=describe(config["device"], config["precision"], onednn=config["onednn"]),
            needs=needs,
        )

    cells = [make(task, method, seed) for task in tasks for method in all_methods for seed in settings.seeds]
    return sorted(cells, key=lambda cell: (tasks.index(cell.task), cell.needs is not None))


class Estimate:
    """Estimates the seconds of cells: measured where the same configuration ran here before, else from operation counts."""

    def __init__(self, results: Sequence[Result], materials: Materials, assumed: Assumptions) -> None:
        self._materials = materials
        self._assumed = assumed
        self._rates: dict[tuple[str, str, bool], float] = {}
        self._measured: dict[tuple[str, str], list[float]] = {}
        for result in results:
            if (
                not result.resumed and not assumed.rate
            ):  # an assumed rate is that of another machine, but results were measured on this one
                key = (result.configuration, result.environment.key)
                self._measured.setdefault(key, []).append(result.seconds["total"])

    def seconds(self, cell: Cell) -> float:
        """Estimated seconds of the whole cell."""
        measured = self._measured.get((cell.configuration, cell.environment.key))
        return statistics.mean(measured) if measured else self._operations(cell) / self._rate(cell.config)

    def _operations(self, cell: Cell) -> float:
        task = registry.task(cell.task)
        data = self._materials.data(cell.task, cell.config["data"], cell.config["partial"])
        weights = self._materials.backbone(cell.config["model"]).multiplied
        tokens: float = min(mean_tokens(data), cell.config["max_length"])
        method: Method = build(registry.method(cell.method), cell.config["method"], f"methods.{cell.method}")
        examples = sum(map(_examples_of_row, data.splits["train"]))
        trained, scored = method.work(examples), evaluated_examples(task, data)
        if self._assumed.published_rows and data.published_rows:
            trained = method.work(data.published_rows["train"])
            scored = sum(data.published_rows[split] for split in task.evaluation_splits)
        return (
            weights * tokens * (4 * trained + 2 * scored)
        )  # no gradients of the frozen weights: 4 operations per weight and token, not 6

    def _rate(self, config: Mapping[str, Any]) -> float:
        key = device, precision, onednn = (config["device"], config["precision"], config["onednn"])
        if key not in self._rates:
            measured = self._assumed.rate or EFFICIENCY[precision] * matmul_rate(device, precision, onednn=onednn)
            self._rates[key] = measured
        return self._rates[key]


def mean_tokens(data: TaskData) -> float:
    """Approximate tokens per example, from the numbers of words in the first training rows."""
    rows = list(islice(data.splits["train"], 200))
    words = [sum(len(value.split()) for value in row.values() if isinstance(value, str)) for row in rows]
    text_words = [len(texts[0].split()) for row in rows if (texts := row.get("texts"))]
    choice_words = [len(choice.split()) for row in rows for choice in row.get("choices", ())]
    answers = sum(statistics.mean(counts) for counts in (text_words, choice_words) if counts)
    return TOKENS_PER_WORD * (statistics.mean(words) + answers) + 3


def _examples_of_row(row: Row) -> int:
    """Number of training examples that a row yields: one per text where it has several texts."""
    return len(row["texts"]) if "texts" in row else 1


def evaluated_examples(task: Task, data: TaskData) -> int:
    """Number of examples in all evaluation splits; a generated text counts once per beam, a question once per choice."""
    rows = [row for split in task.evaluation_splits for row in data.splits[split]]
    return sum(BEAMS if "texts" in row else len(row["choices"]) if "choices" in row else 1 for row in rows)


def matmul_rate(device: str, precision: str, *, onednn: bool) -> float:
    """Floating-point operations per second of this device in matrix products of a transformer's size."""
    size = 8192 if torch.device(device).type == "cuda" else 768
    generator = torch.Generator(device).manual_seed(0)  # some devices are faster on constant matrices
    matrix = torch.rand(size, size, generator=generator, device=device)
    matrix = matrix.to(torch.bfloat16 if precision == "bf16" else torch.float32)
    product = linear if onednn and precision == "fp32" and has_onednn(device) else torch.matmul
    fastest = min(_product_seconds(product, matrix) for _ in range(10))
    return float(2 * size**3 / fastest)


def _product_seconds(product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], matrix: torch.Tensor) -> float:
    started = time.perf_counter()
    float(product(matrix, matrix)[0, 0])  # waits until an accelerator has finished
    return time.perf_counter() - started


def _look_up(cell: Cell, store: Store, estimate: Estimate) -> PlannedCell:
    result = cell.folder(store).result()
    if result:  # the result may come from another preset's run; tables list it under this preset
        result = replace(result, preset=cell.preset, protocol=cell.protocol)
    done = result is not None and result.status == "done"
    seconds = result.seconds["total"] if result and done else estimate.seconds(cell)
    return PlannedCell(cell=cell, result=result, seconds=seconds)


def _on_this_machine(config: dict[str, Any]) -> dict[str, Any]:
    device = environment.resolve_device(config["device"])
    precision = environment.resolve_precision(config["precision"], device)
    onednn = environment.resolve_onednn(device, precision, setting=config["onednn"])
    return config | {"device": device, "precision": precision, "onednn": onednn}
