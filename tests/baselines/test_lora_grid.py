"""The grid search chooses the rank that scores best, whichever way the ranks are trained."""

from dataclasses import replace

import pytest
import torch

from autolora.compute.runtime import NonFiniteLossError, Progress, Runtime
from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from baselines.lora import Lora
from baselines.lora_grid import LoraGrid
from baselines.stacking.lora_stack import StackConfig
from tests.support.tiny import accuracy, build, problem, same

TRAINING = TrainingConfig(lr=1e-2, steps=12, batch_size=8)
GRID = LoraGrid(ranks=(4, 1, 2), training=TRAINING)
ONE_BY_ONE = replace(GRID, stack=StackConfig(members=1))


def rank_of(model: torch.nn.Module) -> int:
    return model.peft_config["default"].r  # type: ignore[no-any-return, union-attr, index]


@pytest.mark.parametrize("grid", [GRID, ONE_BY_ONE])
def test_the_best_rank_wins_and_is_trained_as_lora_on_everything(grid: LoraGrid) -> None:
    wanted = {1: 50.0, 2: 70.0, 4: 60.0}
    task = problem(score=lambda model, _: wanted[rank_of(model)])
    outcome = grid.train(task)
    assert outcome.details["grid"] == {"1": 50.0, "2": 70.0, "4": 60.0}
    lora = Lora(rank=2, training=TRAINING).train(task)
    assert same(outcome.model, lora.model)
    assert outcome.ranks == lora.ranks
    assert outcome.trainable_parameters == lora.trainable_parameters


def test_of_equal_scores_the_smallest_rank_wins() -> None:
    outcome = GRID.train(problem(score=lambda *_: 50.0))
    assert set(outcome.ranks.values()) == {1}


def test_ranks_are_scored_on_examples_that_they_were_not_trained_on() -> None:
    scored: list[int] = []
    trained: set[int] = set()
    task = problem()
    collate, places = task.collate, {id(example): index for index, example in enumerate(task.train)}

    def spy(batch: list[object]) -> object:
        trained.update(places[id(example)] for example in batch)
        return collate(batch)  # type: ignore[arg-type]

    def score(_: torch.nn.Module, examples: list[object]) -> float:
        scored[:] = [places[id(example)] for example in examples]
        assert trained.isdisjoint(scored)
        trained.clear()
        return 0.0

    ONE_BY_ONE.train(replace(task, collate=spy, score=score))  # type: ignore[arg-type]
    assert len(scored) == pytest.approx(0.1 * len(task.train), abs=1)


def test_stacked_and_one_by_one_choose_alike() -> None:
    task = problem(build_model=lambda: build(dtype=torch.float64))
    stacked, one_by_one = GRID.train(task), ONE_BY_ONE.train(task)
    assert stacked.details["grid"] == one_by_one.details["grid"]
    assert same(stacked.model, one_by_one.model)


@pytest.mark.parametrize("grid", [GRID, ONE_BY_ONE])
def test_a_rank_that_diverges_is_out(grid: LoraGrid) -> None:
    def spoil(task: Problem) -> Problem:
        def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            value: torch.Tensor = model(**batch).loss
            scaling = next(module.scaling for module in model.modules() if hasattr(module, "lora_A"))
            size = scaling["default"] if isinstance(scaling, dict) else scaling.squeeze()
            return value / (16 / size != 2)  # rank 2 divides by zero

        return replace(task, loss=loss)

    outcome = grid.train(spoil(problem()))
    assert outcome.details["grid"]["2"] is None
    assert all(outcome.details["grid"][rank] is not None for rank in ("1", "4"))


def test_where_every_rank_diverges_the_grid_says_so() -> None:
    task = problem(loss=lambda model, batch: model(**batch).loss * torch.nan)
    for grid in (GRID, ONE_BY_ONE):
        with pytest.raises(NonFiniteLossError):
            grid.train(task)


@pytest.mark.parametrize("grid", [GRID, ONE_BY_ONE])
def test_only_the_winners_epochs_are_observed(grid: LoraGrid) -> None:
    seen: list[int] = []
    config = replace(grid, training=TrainingConfig(lr=1e-2, epochs=2, batch_size=8))
    config.train(problem(observe=lambda _, epoch: seen.append(epoch)))
    assert seen == [1, 2]


def test_progress_counts_the_steps_of_all_candidates() -> None:
    seen: list[Progress] = []
    ONE_BY_ONE.train(problem(runtime=Runtime(progress=seen.append)))
    searched = [(step.step, step.steps) for step in seen if step.stage == "search"]
    assert searched == [(step, 36) for step in range(1, 37)]


@pytest.mark.parametrize(
    ("ranks", "message"),
    [((), "the grid is empty"), ((1, 1), "distinct"), ((0, 1), "at least 1"), ((1, 17), "must lie in 1..16")],
)
def test_bad_grids_are_refused(ranks: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoraGrid(ranks=ranks, training=TRAINING).train(problem())


def test_a_grid_needs_a_score() -> None:
    with pytest.raises(ValueError, match="needs a score"):
        GRID.train(problem(score=None))


def test_the_tiny_score_is_the_share_of_right_labels() -> None:
    task = problem()
    assert 0 <= accuracy(task.build_model(), task.train) <= 100
