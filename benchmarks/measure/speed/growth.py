"""How a step's cost grows with the batch, the length, the layers and the rank, beside its arithmetic floor."""

import json
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType

from torch.utils.flop_counter import FlopCounterMode

from autolora.adapters.adapt import adapt, fresh_model
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import TimingRun
from autolora.problem import Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.train import TrainingConfig, train
from benchmarks.measure.speed.comparisons import Setting
from benchmarks.run.plan import matmul_rate
from benchmarks.store.result import Environment
from benchmarks.tasks.families.classification import pad

DEFAULTS: Mapping[str, int] = MappingProxyType({"batch size": 16, "tokens per example": 16, "layers": 6, "rank": 8})
AXES: Mapping[str, Sequence[int]] = MappingProxyType(
    {
        "batch size": (4, 8, 16, 32, 64),
        "tokens per example": (8, 16, 32, 64, 128),
        "layers": (2, 4, 6, 8, 12),
        "rank": (2, 4, 8, 16, 32),
    }
)
"""What is varied, the other three at their defaults."""
STEPS = 5


@dataclass(frozen=True, kw_only=True)
class GrowthPoint:
    """One kind of step at one size."""

    axis: str
    value: int
    kind: str
    """"LoRA", or "search" with exact hypergradients."""
    step_seconds: float
    """Median over rounds."""
    floor_seconds: float
    """Its matrix products at the rate that the device reaches in large ones."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """All points of one run."""

    model_title: str
    rounds: int
    environment: Environment
    points: tuple[GrowthPoint, ...]


def measure_growth(setting: Setting, where: Environment, rounds: int, tell: Callable[[str], None]) -> Growth:
    """Time every size in turns; the weights are random, which changes no time."""
    rate = matmul_rate(setting.runtime.device, setting.runtime.precision, onednn=setting.runtime.onednn)
    kinds = {"LoRA": _lora_step, "search": _search_step}
    sizes = [(axis, value, kind) for axis, values in AXES.items() for value in values for kind in kinds]
    runs = {
        (axis, value, kind): _at_size(setting, {**DEFAULTS, axis: value}, kinds[kind]) for axis, value, kind in sizes
    }
    flops = {}
    for place, run in runs.items():
        tell(f"{place[2]}, {place[0]} {place[1]}: counting")
        with FlopCounterMode(display=False) as counter:
            run(TimingRun(steps=1, warmup=0))
        flops[place] = counter.get_total_flops()
    seconds: dict[tuple[str, int, str], list[float]] = {place: [] for place in runs}
    for number in range(rounds):
        for place, run in runs.items():
            tell(f"{place[2]}, {place[0]} {place[1]}: round {number + 1}")
            seconds[place].append(run(TimingRun(steps=STEPS, warmup=2)))  # the second step may be a recording
    points = [
        GrowthPoint(
            axis=axis,
            value=value,
            kind=kind,
            step_seconds=statistics.median(seconds[axis, value, kind]),
            floor_seconds=flops[axis, value, kind] / rate,
        )
        for axis, value, kind in sizes
    ]
    return Growth(model_title=setting.backbone.title, rounds=rounds, environment=where, points=tuple(points))


def growth_json(growth: Growth) -> str:
    """As a file keeps it."""
    return json.dumps(asdict(growth), indent=1) + "\n"


def _at_size(
    setting: Setting, size: Mapping[str, int], step: Callable[[Problem, TrainingConfig, int], float]
) -> Callable[[TimingRun], float]:
    """Seconds per step, projected."""
    config = type(setting.backbone.config).from_dict(setting.backbone.config.to_dict())
    config.num_hidden_layers = size["layers"]
    backbone = replace(setting.backbone, folder=None, config=config)
    rng = random.Random("growth")
    examples: list[Example] = [
        {
            "input_ids": [rng.randrange(1000, 10_000) for _ in range(size["tokens per example"])],
            "labels": rng.randrange(2),
        }
        for _ in range(2 * size["batch size"] * STEPS)
    ]
    training = TrainingConfig(lr=1e-4, steps=STEPS, batch_size=size["batch size"])

    def run(timing_run: TimingRun) -> float:
        problem = Problem(
            build_model=backbone.builder(num_labels=2, seed=0),
            train=examples,
            collate=lambda batch: pad(backbone.tokenizer, batch),
            head=backbone.head,
            runtime=replace(setting.runtime, timing_run=timing_run),
        )
        return step(problem, training, size["rank"]) / STEPS

    return run


def _lora_step(problem: Problem, training: TrainingConfig, rank: int) -> float:
    projections = find_projections(fresh_model(problem), problem.targets)
    return train(adapt(problem, RankAllocation.uniform(projections, rank).to_lora_config()), problem, training)


def _search_step(problem: Problem, training: TrainingConfig, rank: int) -> float:
    return search(problem, SearchConfig(max_rank=rank, training=training)).seconds
