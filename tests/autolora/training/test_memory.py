"""Micro-batches and gradient checkpointing change no result, in training and in the search."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autolora.adapters.fused import split_fused
from autolora.rank_search.bilevel import Hypergradient
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.search import search
from autolora.training.batches import IGNORED
from autolora.training.config import TrainingConfig
from autolora.training.micro_batches import counted_labels, micro_batches
from autolora.training.train import train
from tests.support import tiny
from tests.support.tiny import build, collate, examples, problem, texts, weights

TRAINING = TrainingConfig(lr=1e-2, steps=3, batch_size=8, warmup=0)
CONFIG = SearchConfig(max_rank=4, training=TRAINING, selection_lr=1e-2)
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def encoder(*, checkpointing: bool = False) -> nn.Module:
    model = build(dtype=torch.float64, **NO_DROPOUT)
    return _forgetful(model) if checkpointing else model


def decoder(*, checkpointing: bool = False) -> nn.Module:
    """Its loss is a mean over tokens, and the examples have different numbers of tokens."""
    model = tiny.decoder(dtype=torch.float64)
    split_fused(model)
    return _forgetful(model) if checkpointing else model


def _forgetful(model: Any) -> nn.Module:
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


KINDS = {"encoder": (encoder, collate, ("classifier",)), "decoder": (decoder, texts, ())}


@pytest.mark.parametrize(("number", "sizes"), [(1, [7]), (3, [2, 2, 3]), (7, [1] * 7), (20, [1] * 7)])
def test_a_batch_is_cut_into_parts_that_hold_all_of_it(number: int, sizes: list[int]) -> None:
    batch = collate(examples(7))
    parts = micro_batches(batch, number, counted_labels)
    assert [len(part["labels"]) for part, _ in parts] == sizes
    assert sum(share for _, share in parts) == pytest.approx(1)
    assert all(torch.equal(torch.cat([part[name] for part, _ in parts]), batch[name]) for name in batch)


def test_the_shares_are_those_of_the_labels_that_count() -> None:
    labels = torch.tensor([[1, 2, 3], [IGNORED, IGNORED, 1], [IGNORED, IGNORED, IGNORED]])
    assert [share for _, share in micro_batches({"labels": labels}, 3, counted_labels)] == [0.75, 0.25]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changes", [{"micro_batches": 3}, {"checkpointing": True}], ids=str)
def test_training_ends_with_the_same_weights(kind: str, changes: dict[str, Any]) -> None:
    make, pad, _ = KINDS[kind]
    task = problem(collate=pad)
    plain, saving = make(), make(checkpointing="checkpointing" in changes)
    train(plain, task, TRAINING)
    train(saving, task, replace(TRAINING, **{key: value for key, value in changes.items() if key != "checkpointing"}))
    moved = weights(make())
    expected = weights(plain)
    for name, weight in weights(saving).items():
        assert torch.allclose(weight, expected[name], rtol=0, atol=1e-9)
    assert any(not torch.allclose(expected[name], moved[name], atol=1e-4) for name in expected)


def searching(kind: str, config: SearchConfig, *, checkpointing: bool = False) -> RankSearch:
    """With random non-zero updates, so that no term is zero."""
    make, _, head = KINDS[kind]
    torch.manual_seed(0)
    found = RankSearch(make(checkpointing=checkpointing), config, steps=10, head=head)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in [*found.model.weights, *found.model.logits]:
            tensor.add_(0.2 * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))
    return found


def hypergradient(kind: str, config: SearchConfig, *, checkpointing: bool = False) -> Hypergradient:
    _, pad, _ = KINDS[kind]
    drawn = examples(16)
    found = searching(kind, config, checkpointing=checkpointing)
    return found._hypergradient(pad(drawn[:9]), pad(drawn[9:]), found.eta)


def relative(found: list[Tensor], expected: list[Tensor]) -> float:
    one, other = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in (found, expected))
    assert float(other.norm()) > 0
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["exact", "finite-difference", "finite-difference-one-sided", "first-order"])
@pytest.mark.parametrize("look_ahead", ["gradient", "optimizer"])
@pytest.mark.parametrize("saved", [(3, False), (1, True), (3, True)], ids=str)
def test_the_hypergradient_is_that_of_the_whole_batch(
    kind: str, engine: str, look_ahead: str, saved: tuple[int, bool]
) -> None:
    number, checkpointing = saved
    config = replace(CONFIG, engine=engine, eta=1.0, look_ahead=look_ahead)
    plain = hypergradient(kind, config)
    parted = replace(config, training=replace(TRAINING, micro_batches=number))
    saving = hypergradient(kind, parted, checkpointing=checkpointing)
    assert relative(saving.direct, plain.direct) < 1e-9
    assert relative(saving.train_gradient, plain.train_gradient) < 1e-9
    assert float(saving.train_loss) == pytest.approx(float(plain.train_loss))
    assert float(saving.valid_loss) == pytest.approx(float(plain.valid_loss))
    if plain.second_order:
        assert saving.second_order
        assert relative(saving.second_order, plain.second_order) < (1e-9 if engine == "exact" else 1e-6)


def test_the_mean_of_the_parts_hypergradients_differs_from_the_hypergradient() -> None:
    """The mixed products within each half of the batches do not add up to the product of the whole batches."""
    config = replace(CONFIG, eta=1.0)
    drawn = examples(16)
    whole = searching("encoder", config)._hypergradient(collate(drawn[:8]), collate(drawn[8:]), 1.0).total
    halves = [
        searching("encoder", config)._hypergradient(collate(drawn[start : start + 4]), collate(drawn[start + 8 : start + 12]), 1.0).total
        for start in (0, 4)
    ]  # fmt: skip
    averaged = [(one + other) / 2 for one, other in zip(*halves, strict=True)]
    assert relative(averaged, whole) > 1e-2


@pytest.mark.parametrize("order", ["simultaneous", "weights-first", "selection-first"])
def test_a_search_ends_with_the_same_selection(order: str) -> None:
    def found(number: int, *, checkpointing: bool) -> dict[str, list[float]]:
        config = replace(CONFIG, order=order, eta=1.0, training=replace(TRAINING, micro_batches=number))
        task = problem(build_model=lambda: encoder(checkpointing=checkpointing), head=("classifier",))
        return {name: list(values) for name, values in search(task, config).selection.items()}

    plain, saving = found(1, checkpointing=False), found(4, checkpointing=True)
    assert all(saving[name] == pytest.approx(plain[name], abs=1e-6) for name in plain)


def test_a_step_of_a_forgetful_search_leaves_the_models_own_weights_in_place() -> None:
    found = searching("encoder", CONFIG, checkpointing=True)
    batch = collate(examples(8))
    found.step(0, batch, batch)
    own = set(map(id, found.model.parameters()))
    assert all(id(weight) in own for weight in found.model.weights)


def test_bettys_engine_computes_whole_batches() -> None:
    with pytest.raises(ValueError, match="whole batches"):
        replace(CONFIG, engine="betty", eta=1.0, look_ahead="optimizer", training=replace(TRAINING, micro_batches=2))
