"""Time of a training step over batch size, length, layers and rank, beside the time of its matrix products alone."""

import json
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType

from torch.utils.flop_counter import FlopCounterMode

from autolora.adapters.adapt import adapt, projections_of
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import TimingRun
from autolora.problem import Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from autolora.training.train import train
from benchmarks.measure.speed.setting import Setting
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
"""Values of the size that is varied; the other three sizes have their defaults."""
STEPS = 5


@dataclass(frozen=True, kw_only=True)
class GrowthPoint:
    """Time of one kind of step at one size."""

    axis: str
    value: int
    kind: str
    """"LoRA", or "search" with exact hypergradients."""
    step_seconds: float
    """Median over rounds."""
    floor_seconds: float
    """Time of its floating-point operations at the device's rate in large matrix products."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """All points of one measurement."""

    model_title: str
    rounds: int
    environment: Environment
    points: tuple[GrowthPoint, ...]


def measure_growth(setting: Setting, where: Environment, rounds: int, announce: Callable[[str], None]) -> Growth:
    """Time every size in turns, with random weights, whose values do not affect the time."""
    rate = matmul_rate(setting.runtime.device, setting.runtime.precision, onednn=setting.runtime.onednn)
    steps = {"LoRA": _lora_step, "search": _search_step}
    sizes = [(axis, value, kind) for axis, values in AXES.items() for value in values for kind in steps]
    runs = {
        (axis, value, kind): _at_size(setting, {**DEFAULTS, axis: value}, steps[kind]) for axis, value, kind in sizes
    }
    flops = {}
    for (axis, value, kind), run in runs.items():
        announce(f"{kind}, {axis} {value}: counting")
        with FlopCounterMode(display=False) as counter:
            run(TimingRun(steps=1, warmup=0))
        flops[axis, value, kind] = counter.get_total_flops()
    seconds: dict[tuple[str, int, str], list[float]] = {size: [] for size in runs}
    for number in range(rounds):
        for (axis, value, kind), run in runs.items():
            announce(f"{kind}, {axis} {value}: round {number + 1}")
            timing_run = TimingRun(steps=STEPS, warmup=2)  # CUDA graphs may be recorded up to the second step
            seconds[axis, value, kind].append(run(timing_run))
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
    """The content of the file that keeps a growth measurement."""
    return json.dumps(asdict(growth), indent=1) + "\n"


def _at_size(
    setting: Setting, size: Mapping[str, int], step: Callable[[Problem, TrainingConfig, int], float]
) -> Callable[[TimingRun], float]:
    """A function that times one kind of step at one size; it returns seconds per step."""
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
    projections = projections_of(problem)
    return train(
        adapt(problem, RankAllocation.uniform(projections, rank).to_lora_config(split=True)), problem, training
    )


def _search_step(problem: Problem, training: TrainingConfig, rank: int) -> float:
    return search(problem, SearchConfig(max_rank=rank, training=training)).seconds
