"""Planted problems: what is planted can be learned, and by the planted ranks alone; controls and the suite's checks."""

from dataclasses import dataclass, replace
from typing import ClassVar, get_args

import pytest
import torch

from autolora.adapters.adapt import fresh_model, projections_of
from autolora.adapters.budget import Budget
from autolora.adapters.ranks import RankAllocation
from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from benchmarks.core.registry import allocator, allocator_names
from benchmarks.core.spec import InputError
from benchmarks.measure.allocation.controls import Oracle, Shuffled
from benchmarks.measure.allocation.planted import Pattern, Planted, Planting, plant, planted_ranks
from benchmarks.measure.allocation.students import student
from benchmarks.measure.allocation.suite import allocators, training_of, try_allocator
from tests.support import tiny

SMALL = Planting(examples=48, tokens=6)
FEW_STEPS = TrainingConfig(lr=1e-2, steps=6)


def build() -> torch.nn.Module:
    model = tiny.build().base_model.eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def small(seed: int = 0, **changes: object) -> Planted:
    return plant(build, replace(SMALL, **changes), seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", get_args(Pattern))
def test_every_pattern_plants_the_mean_rank(pattern: Pattern) -> None:
    projections = projections_of(
        Problem(build_model=student("llama"), train=[{"input_ids": [5]}], collate=list, head=())
    )
    ranks = planted_ranks(Planting(pattern=pattern), projections)
    assert len(ranks) == 12
    assert sum(ranks.values()) == 24
    assert (len(set(ranks.values())) == 1) == (pattern == "alike")


def test_the_teacher_is_the_student_plus_updates_of_the_planted_ranks() -> None:
    """With the teacher's weights the held-out loss is 0; with the student's it is 1."""
    planted = small(pattern="falling")
    model = fresh_model(planted.problem)
    assert planted.test_loss(model) == pytest.approx(1, abs=1e-5)
    assert planted.truth.ranks == (4, 2, 2, 0) or sum(planted.truth.ranks) == 8


def test_noise_changes_the_training_targets_alone() -> None:
    plain, noisy = small(), small(noise=0.5)
    assert torch.equal(plain.test[0]["targets"], noisy.test[0]["targets"])
    assert not torch.equal(plain.problem.train[0]["targets"], noisy.problem.train[0]["targets"])


def test_shuffled_targets_are_those_of_other_examples() -> None:
    plain, shuffled = small(), small(shuffled=True)
    sums = [sorted(float(each["targets"].sum()) for each in planted.problem.train) for planted in (plain, shuffled)]
    assert sums[0] == pytest.approx(sums[1])
    assert not torch.equal(plain.problem.train[0]["targets"], shuffled.problem.train[0]["targets"])


def test_an_unknown_pattern_and_an_unknown_student_are_refused() -> None:
    with pytest.raises(ValueError, match="pattern must be one of few, rising"):
        Planting(pattern="fewer")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown student 'lama'"):
        student("lama")


def test_there_are_allocators() -> None:
    assert len(allocator_names()) >= 10
    with pytest.raises(InputError, match="unknown allocator 'unifrom'; did you mean uniform"):
        allocator("unifrom")


@pytest.mark.parametrize("name", allocator_names())
def test_every_allocator_meets_the_budget_and_repeats_itself(name: str) -> None:
    planted = small()
    each = allocators(planted, FEW_STEPS, [name])[name]
    budget = Budget(parameters=planted.truth.parameters + 7)
    found = each.allocate(planted.problem, budget)
    assert found.projections == planted.truth.projections
    assert 0.8 * planted.truth.parameters <= found.parameters <= planted.truth.parameters
    assert each.allocate(planted.problem, budget) == found


def test_the_oracle_gives_the_planted_ranks_and_the_shuffled_control_as_many_elsewhere() -> None:
    planted = small(pattern="rising")
    oracle = Oracle(truth=planted.truth)
    assert oracle.allocate(planted.problem, planted.budget) == planted.truth
    shuffled = {
        Shuffled(of=oracle).allocate(replace(planted.problem, seed=seed), planted.budget).ranks for seed in range(5)
    }
    assert len(shuffled) > 1
    assert {tuple(sorted(ranks)) for ranks in shuffled} == {tuple(sorted(planted.truth.ranks))}


@dataclass(frozen=True)
class Greedy:
    title: ClassVar[str] = "greedy"

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        assert budget.parameters
        return RankAllocation.uniform(projections_of(problem), 9)


def test_the_suite_refuses_an_allocator_that_exceeds_its_budget() -> None:
    with pytest.raises(ValueError, match="'greedy' exceeds the budget by 896 parameters: 1,152 of 256"):
        try_allocator("greedy", Greedy(), small(), 1.0, FEW_STEPS)


@pytest.mark.slow
def test_the_planted_ranks_learn_what_uniform_ranks_cannot_and_our_allocator_comes_near_them() -> None:
    planted = plant(student("llama"), Planting(pattern="few"), seed=1)
    training = training_of("llama")
    every = allocators(planted, training, ["autolora_budget"])
    losses = {name: try_allocator(name, each, planted, 1.0, training).loss for name, each in every.items()}
    assert losses["oracle"] < 0.2 * losses["uniform"]
    assert losses["autolora_budget"] < losses["uniform"] - 0.8 * (losses["uniform"] - losses["oracle"])
