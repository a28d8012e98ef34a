"""The planted test: every allocator on one problem, then the same LoRA training with the ranks of each."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

from autolora.adapters.budget import Budget
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import Allocator, check_allocation
from autolora.rank_search.pipeline import RetrainConfig, retrain
from autolora.training.config import TrainingConfig
from benchmarks.core.registry import allocator, allocator_names
from benchmarks.measure.allocation.controls import Oracle, Shuffled
from benchmarks.measure.allocation.planted import Planted, Planting, plant
from benchmarks.measure.allocation.students import student
from benchmarks.run.machine.environment import describe
from benchmarks.store.allocation_record import AllocationRun, Trial

TRAINING = TrainingConfig(lr=2e-2, steps=150)
"""Of the random Llama, which learns in seconds; pretrained students take the rate of PRETRAINED."""
PRETRAINED = TrainingConfig(lr=1e-2, steps=100)
OURS = "autolora_budget"


def training_of(name: str) -> TrainingConfig:
    """How LoRA is trained in this student, and how the allocators that train do."""
    return TRAINING if name == "llama" else PRETRAINED


def allocators(planted: Planted, training: TrainingConfig, names: Sequence[str] | None = None) -> dict[str, Allocator]:
    """Name -> allocator with this training: those of the registry, AutoLoRA's ablations, the controls.

    Args:
        planted: the problem, whose truth the oracle knows.
        training: for allocators that train.
        names: of the registry; None: all of them, the ablations and the shuffled control.
    """
    known = {name: _with_training(allocator(name), training) for name in names or allocator_names()}
    every: dict[str, Allocator] = {"uniform": allocator("uniform")(), "oracle": Oracle(truth=planted.truth), **known}
    if names is None:
        published: Any = known["autolora"]
        every["autolora_sigmoid"] = replace(published, parameterisation="sigmoid")
        every["autolora_variables"] = replace(published, by_variables=True)
        every["shuffled"] = Shuffled(of=every[OURS])
    return every


def measure(
    name: str,
    planting: Planting,
    seed: int,
    *,
    names: Sequence[str] | None = None,
    shares: Sequence[float] = (1.0,),
    training: TrainingConfig | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> AllocationRun:
    """Run the allocators on one planted problem.

    Args:
        name: of the student.
        planting: what is planted.
        seed: of everything that is drawn.
        names: as of `allocators`.
        shares: budgets, over the number of parameters of the planted updates.
        training: of LoRA, and of allocators that train; None: that of the student.
        tell: called with a line per allocator.

    Raises:
        ValueError: an allocator exceeds its budget, or names layers that do not exist.
    """
    training = training or training_of(name)
    planted = plant(student(name), planting, seed)
    every = allocators(planted, training, names)
    trials = []
    for share in shares:
        for label, each in every.items():
            trials.append(try_allocator(label, each, planted, share, training))
            tell(f"{name} {planting.pattern} {seed} {label}: {trials[-1].ranks}, loss {trials[-1].loss:.4f}")
    layers = planted.truth.projections
    return AllocationRun(
        student=name,
        pattern=planting.pattern,
        spectrum=planting.spectrum,
        noise=planting.noise,
        shuffled=planting.shuffled,
        seed=seed,
        layers=tuple(each.name for each in layers),
        costs=tuple(each.lora_parameters(1) for each in layers),
        truth=planted.truth.ranks,
        steps=training.steps or 0,
        lr=training.lr,
        trials=tuple(trials),
        environment=describe("cpu", "fp32", onednn=False),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def try_allocator(label: str, allocator: Allocator, planted: Planted, share: float, training: TrainingConfig) -> Trial:
    """Allocate, check, and train LoRA with the ranks, every layer's update being scaled alike."""
    problem, truth = planted.problem, planted.truth
    budget = Budget(parameters=int(share * truth.parameters))
    started = time.perf_counter()
    found = allocator.allocate(problem, budget)
    seconds = time.perf_counter() - started
    check_allocation(label, found, truth.projections, budget)
    ranks = RankAllocation.of(truth.projections, found.by_name())
    model, training_seconds = retrain(problem, ranks, RetrainConfig(scaling="constant", training=training))
    return Trial(
        allocator=label,
        title=allocator.title,
        share=share,
        budget=budget.parameters or 0,
        spent=ranks.parameters,
        ranks=ranks.ranks,
        loss=planted.test_loss(model),
        seconds=seconds,
        training_seconds=training_seconds,
    )


def _with_training(kind: Any, training: TrainingConfig) -> Allocator:
    names = {field.name for field in fields(kind)} if is_dataclass(kind) else set()
    settings: Mapping[str, Any] = {"training": training} if "training" in names else {}
    made: Allocator = kind(**settings)
    return made
