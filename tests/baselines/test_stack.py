"""A stack, checked against separate trainings of its members."""

from dataclasses import replace
from functools import cache
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from autolora.adapters.adapt import adapt
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import Interrupted, NonFiniteLossError, Runtime
from autolora.problem import Batch, Problem
from autolora.training.batches import batch_tokens
from autolora.training.config import TrainingConfig
from autolora.training.train import train
from baselines.stacking.lora_stack import LoRAStack, StackConfig
from baselines.stacking.train_stack import train_stack
from tests.support.tiny import MODELS, build, decoder, problem, same, stop_after, texts

RANKS = (1, 2, 4, 8)
CONFIG = TrainingConfig(lr=1e-2, steps=50, batch_size=8)
ALL_AT_ONCE = StackConfig(members=16, tokens=10_000)


def doubles(kind: str = "bert") -> Problem:
    """In float64, with dropout."""
    return problem(build_model=lambda: build(kind, dtype=torch.float64))


def lora(task: Problem, rank: int, **options: Any) -> Any:
    return RankAllocation.uniform(find_projections(task.build_model(), task.targets), rank).to_lora_config(**options)


def stacked(
    task: Problem, stack: StackConfig = ALL_AT_ONCE, config: TrainingConfig = CONFIG, **options: Any
) -> tuple[LoRAStack, list[bool]]:
    members = LoRAStack(task, [lora(task, rank, **options) for rank in RANKS], stack)
    return members, train_stack(members, task, config, stage="search")[1]


def alone(task: Problem, rank: int, config: TrainingConfig = CONFIG, **options: Any) -> Any:
    model = adapt(task, lora(task, rank, **options))
    train(model, task, config)
    return model


def largest_difference(one: torch.nn.Module, other: torch.nn.Module) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((first - second).detach().abs().max()) for first, second in pairs)


@cache
def alone_in_doubles(kind: str, rank: int) -> Any:
    """Trained once, for all tests that compare with it."""
    return alone(doubles(kind), rank)


@pytest.mark.parametrize(
    ("kind", "stack"),
    [
        *((kind, ALL_AT_ONCE) for kind in MODELS),
        ("bert", StackConfig(members=3)),
        ("bert", StackConfig(members=16, tokens=160)),
    ],
)
def test_a_member_ends_with_the_weights_of_its_own_training(kind: str, stack: StackConfig) -> None:
    task = doubles(kind=kind)
    members, sound = stacked(task, stack)
    assert sound == [True] * len(RANKS)
    for index, rank in enumerate(RANKS):
        assert largest_difference(members.member(index), alone_in_doubles(kind, rank)) < 1e-9
    assert largest_difference(members.member(0), adapt(task, lora(task, RANKS[0]))) > 1e-3


def test_so_it_does_with_dropout_in_the_adapters() -> None:
    task = doubles()
    members, _ = stacked(task, lora_dropout=0.3)
    assert largest_difference(members.member(2), alone(task, RANKS[2], lora_dropout=0.3)) < 1e-9
    assert largest_difference(members.member(2), alone(task, RANKS[2])) > 1e-3


def test_so_it_does_where_all_linear_layers_are_adapted_transposed_ones_included() -> None:
    task = problem(
        build_model=lambda: decoder(dtype=torch.float64), collate=texts, head=(), strata=None, targets="all-linear"
    )
    config = replace(CONFIG, steps=10)
    members = LoRAStack(task, [lora(task, rank) for rank in RANKS[:2]], ALL_AT_ONCE)
    train_stack(members, task, config, stage="search")
    assert len(members.weights) == 2 * 8
    assert largest_difference(members.member(1), alone(task, RANKS[1], config)) < 1e-9


def test_ranks_may_differ_from_projection_to_projection() -> None:
    task = doubles()
    projections = find_projections(task.build_model())
    configs = [RankAllocation(projections, ranks).to_lora_config() for ranks in ((1, 2, 3, 4), (4, 0, 2, 1))]
    members = LoRAStack(task, configs, ALL_AT_ONCE)
    train_stack(members, task, CONFIG, stage="search")
    for index, config in enumerate(configs):
        model = adapt(task, config)
        train(model, task, CONFIG)
        assert largest_difference(members.member(index), model) < 1e-9


def test_a_member_that_diverges_changes_no_bit_of_the_others() -> None:
    task = problem()
    healthy, _ = stacked(task)
    spoiled = LoRAStack(task, [lora(task, rank) for rank in RANKS], ALL_AT_ONCE)
    with torch.no_grad():
        spoiled.weights[0][1] = torch.nan
    _, sound = train_stack(spoiled, task, CONFIG, stage="search")
    assert sound == [True, False, True, True]
    for index in (0, 2, 3):
        assert same(healthy.member(index), spoiled.member(index))


def test_a_stack_without_a_sound_member_is_an_error() -> None:
    task = problem(loss=lambda model, batch: model(**batch).loss * torch.inf)
    with pytest.raises(NonFiniteLossError, match="search: the loss is nan at step 1"):
        stacked(task)


def test_an_interrupted_stack_goes_on_to_the_same_bits(tmp_path: Any) -> None:
    undisturbed, _ = stacked(problem())
    with pytest.raises(Interrupted):
        stacked(problem(runtime=stop_after(17, checkpoints=tmp_path)))
    resumed, _ = stacked(problem(runtime=Runtime(checkpoints=tmp_path)))
    for index in range(len(RANKS)):
        assert same(undisturbed.member(index), resumed.member(index))


@pytest.mark.parametrize("message", ["CUDA out of memory", "DefaultCPUAllocator: can't allocate memory"])
def test_out_of_memory_makes_the_stack_smaller_and_changes_nothing_else(
    message: str, caplog: pytest.LogCaptureFixture
) -> None:
    task = doubles()
    largest: list[int] = []

    def loss(model: torch.nn.Module, batch: Batch) -> Tensor:
        value: Tensor = model(**batch).loss
        members = torch._C._functorch.get_unwrapped(value).numel() if torch._C._functorch.is_batchedtensor(value) else 1
        largest.append(members)
        if members > 1:
            raise RuntimeError(message)
        return value

    members, _ = stacked(replace(task, loss=loss), config=replace(CONFIG, steps=3))
    assert largest[:3] == [4, 2, 1]
    assert set(largest[3:]) == {1}
    assert [record.getMessage() for record in caplog.records] == [
        f"out of memory: {members} members of the stack in one pass from now on" for members in (2, 1)
    ]
    assert largest_difference(members.member(3), alone(task, RANKS[3], replace(CONFIG, steps=3))) < 1e-9


def test_any_other_error_is_told() -> None:
    with pytest.raises(RuntimeError, match="something else"):
        stacked(problem(loss=Mock(side_effect=RuntimeError("something else"))))


def test_members_share_their_masks_so_they_share_a_dropout() -> None:
    task = problem()
    with pytest.raises(ValueError, match="one dropout"):
        LoRAStack(task, [lora(task, 1), lora(task, 1, lora_dropout=0.5)], ALL_AT_ONCE)


@pytest.mark.parametrize("field", ["members", "tokens"])
def test_a_stack_has_room_for_something(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} of a stack is at least 1; got 0"):
        StackConfig(**{field: 0})


def images() -> nn.Module:
    torch.manual_seed(0)
    return ViTForImageClassification(
        ViTConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4,
            num_labels=2,
        )
    )  # fmt: skip


def test_a_stack_trains_on_images_as_its_members_do() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = [{"pixel_values": torch.randn(3, 8, 8, generator=generator), "labels": index % 2} for index in range(16)]
    task = problem(
        build_model=images,
        train=rows,
        collate=lambda part: {
            "labels": torch.tensor([row["labels"] for row in part]),
            "pixel_values": torch.stack([row["pixel_values"] for row in part]),
        },
    )
    config = replace(CONFIG, steps=4)
    together, finite = stacked(task, config=config)
    assert all(finite)
    for index, rank in enumerate(RANKS):
        assert largest_difference(together.member(index), alone(task, rank, config)) < 1e-5
    assert batch_tokens({"labels": torch.zeros(2, 9), "pixel_values": torch.zeros(2, 3, 8, 8)}) == 2 * 3 * 8 * 8
