import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from autolora.adapters.selection import PARAMETERISATIONS
from autolora.compute.runtime import Runtime
from autolora.rank_search import rank_search
from autolora.rank_search.bilevel import Bilevel, Hypergradient
from autolora.rank_search.config import Convergence, SearchConfig
from autolora.rank_search.history import converged_at
from autolora.rank_search.hypergradient import exact
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.result import SearchResult
from autolora.rank_search.search import search, split
from autolora.training.config import TrainingConfig
from tests.support.tiny import build, collate, examples, problem

TRAINING = TrainingConfig(lr=1e-2, steps=6, batch_size=8, warmup=0)
CONFIG = SearchConfig(max_rank=4, training=TRAINING, selection_lr=1e-2, record_every=2)


def losses_per_step(order: str) -> int:
    calls: list[int] = []

    def loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        calls.append(len(batch["labels"]))
        return model(**batch).loss

    search(problem(loss=loss), replace(CONFIG, order=order))
    return len(calls) // TRAINING.steps


@pytest.mark.parametrize(("order", "losses"), [("simultaneous", 2), ("weights-first", 3), ("selection-first", 3)])
def test_the_simultaneous_order_saves_a_train_gradient(order: str, losses: int) -> None:
    assert losses_per_step(order) == losses


def test_a_search_names_a_rank_for_every_projection() -> None:
    found = search(problem(), CONFIG)
    assert list(found.ranks) == [projection.name for projection in found.projections]
    assert all(1 <= rank <= 4 for rank in found.ranks.values())
    assert all(math.isclose(sum(values), 1, abs_tol=1e-6) for values in found.selection.values())
    assert [record["step"] for record in found.history] == [2, 4, 6]
    assert found.seconds > 0


def test_the_head_of_a_search_is_fitted_without_the_examples_of_d_val() -> None:
    fitted: list[Sequence[Any]] = []
    task = problem(fit_head=lambda _, examples: fitted.append(examples))
    search(task, CONFIG)
    train, _ = split(task, CONFIG.valid_share)
    assert fitted == [train]


def test_selection_variables_move_by_the_validation_loss() -> None:
    found = search(problem(), replace(CONFIG, training=replace(TRAINING, steps=30)))
    assert max(found.history[-1]["spread"].values()) > 1e-3
    assert found.history[-1]["direct_norm"] > 0


@pytest.mark.parametrize(("eta", "targets"), [(None, None), (1.0, None), (1.0, "all-linear")])
def test_the_models_hypergradient_equals_that_of_the_unrolled_step(
    eta: float | None, targets: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[float] = []

    def compare(bilevel: Bilevel, eta: float) -> Hypergradient:
        found = exact(bilevel, eta)
        (train_loss,), (valid_loss,) = bilevel.train_loss, bilevel.valid_loss
        gradient = torch.autograd.grad(train_loss(bilevel.weights), bilevel.weights, create_graph=True)
        ahead = [w - eta * g for w, g in zip(bilevel.weights, gradient, strict=True)]
        truth = torch.cat(torch.autograd.grad(valid_loss(ahead), bilevel.logits))
        direct = torch.cat(found.direct)
        second = truth - direct
        checked.append(float((torch.cat(found.total) - direct - second).norm() / second.norm()))
        return found

    monkeypatch.setattr(rank_search, "ENGINES", {"exact": compare})
    plain = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    task = problem(build_model=lambda: build(dtype=torch.float64, **plain), targets=targets)
    search(task, replace(CONFIG, eta=eta))
    assert len(checked) == 6
    assert max(checked[1:]) < 1e-8  # at the first step U = 0 and the second-order term is 0 as well


def test_eta_is_the_scheduled_learning_rate_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def spy(bilevel: Bilevel, eta: float) -> Hypergradient:
        seen.append(eta)
        return exact(bilevel, eta)

    monkeypatch.setattr(rank_search, "ENGINES", {"exact": spy})
    search(problem(), CONFIG)
    assert seen == pytest.approx([1e-2 * (6 - step) / 6 for step in range(6)])


def test_the_share_of_the_second_order_term_is_recorded() -> None:
    assert search(problem(), replace(CONFIG, eta=0.0)).history[-1]["second_order_share"] == 0
    small, large = (
        search(problem(), replace(CONFIG, eta=eta)).history[0]["second_order_share"] for eta in (1e-4, 1e-2)
    )
    assert 0 < small < large < 1


def test_the_head_and_the_updates_are_trained_and_nothing_else() -> None:
    built: list[nn.Module] = []

    def remember() -> nn.Module:
        built.append(build())
        return built[-1]

    search(problem(build_model=remember), CONFIG)
    trained = {name.rpartition(".")[2] for name, weight in built[0].named_parameters() if weight.requires_grad}
    assert trained == {"lora_A", "lora_B", "selection_logits", "weight", "bias"}
    assert torch.equal(
        built[0].bert.encoder.layer[0].attention.self.query.base.weight,
        build().bert.encoder.layer[0].attention.self.query.weight,
    )
    assert not torch.equal(built[0].classifier.weight, build().classifier.weight)


def test_train_and_validation_batches_share_no_example() -> None:
    seen: list[list[tuple[int, ...]]] = []

    def spy(batch: list[dict[str, object]]) -> object:
        seen.append([tuple(example["input_ids"]) for example in batch])  # type: ignore[arg-type]
        return collate(batch)  # type: ignore[arg-type]

    search(problem(collate=spy, train=examples(64)), CONFIG)
    train = {ids for batch in seen[0::2] for ids in batch}
    valid = {ids for batch in seen[1::2] for ids in batch}
    assert train
    assert valid
    assert not train & valid


def test_a_result_survives_a_file(tmp_path: Path) -> None:
    found = search(problem(), CONFIG)
    found.save(tmp_path / "search.json")
    assert SearchResult.load(tmp_path / "search.json").allocation == found.allocation
    assert SearchResult.load(tmp_path / "search.json").history == found.history


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_rank": 0}, "max_rank"),
        ({"eta": -1.0}, "eta"),
        ({"order": "backwards"}, "simultaneous, weights-first, selection-first"),
        ({"parameterisation": "softmin"}, "softmax"),
        ({"record_every": 0}, "record_every"),
    ],
)
def test_settings_out_of_range_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS)
def test_the_largest_change_is_that_of_the_selection_between_two_records(parameterisation: str) -> None:
    config = replace(CONFIG, parameterisation=parameterisation, training=replace(TRAINING, steps=3), record_every=1)
    found = search(problem(), config)
    before = search(problem(), replace(config, training=replace(TRAINING, steps=3, max_steps=2)))
    assert found.history[-1]["largest_change"] > 0
    assert before.steps == 2


RULE = Convergence(patience=4, tolerance=1e-3)


def records(*changes: float, ranks: Sequence[int] = ()) -> list[dict[str, Any]]:
    """One record every second step; ranks stay at 1 unless others are given."""
    ranks = [*ranks, *[1] * (len(changes) - len(ranks))]
    return [
        {"step": 2 * (index + 1), "largest_change": change, "ranks": {"query": rank}}
        for index, (change, rank) in enumerate(zip(changes, ranks, strict=True))
    ]


def test_a_search_has_converged_once_nothing_has_moved_for_long_enough() -> None:
    assert converged_at(records(1, 1, 0, 0, 0), RULE) == 8
    assert converged_at(records(1, 1, 0, 0.1, 0), RULE) is None
    assert converged_at(records(1, 0, 0, 0, 0, ranks=(1, 1, 2, 2, 2)), RULE) == 10
    assert converged_at([], RULE) is None


def test_a_converged_search_stops_and_a_moving_one_does_not(tmp_path: Path) -> None:
    still = replace(
        CONFIG, training=replace(TRAINING, steps=30), selection_lr=1e-9, convergence=Convergence(patience=4)
    )
    found = search(problem(runtime=Runtime(checkpoints=tmp_path)), still)
    assert found.steps == 6  # the first record has no previous record to compare with
    assert search(problem(runtime=Runtime(checkpoints=tmp_path)), still) == found  # a finished stage is not run again
    moving = replace(still, selection_lr=1e-1, convergence=Convergence(patience=4, tolerance=1e-9))
    assert search(problem(), moving).steps == 30


def test_logits_start_where_they_are_told_to_and_can_carry_the_threshold() -> None:
    config = replace(CONFIG, initial_logit=1.0, rank_rule="logits", selection_lr=1e-9, record_every=1)
    found = search(problem(), config)
    assert set(found.ranks.values()) == {4}  # equal logits all reach their mean
    assert all(values == pytest.approx([0.25] * 4) for values in found.selection.values())


def test_raw_logits_keep_more_components_than_their_softmax() -> None:
    def ranks(rule: str) -> dict[str, int]:
        searching = RankSearch(build(), replace(CONFIG, rank_rule=rule), steps=1)
        with torch.no_grad():
            for logits in searching.model.logits:
                logits.copy_(torch.tensor([2.0, 1.2, 0.4, 0.4]))  # mean 1; softmax 0.54, 0.24, 0.11, 0.11
        return dict(searching.result().ranks)

    assert set(ranks("selection").values()) == {1}
    assert set(ranks("logits").values()) == {2}


def test_every_weight_is_trained_where_the_search_says_so() -> None:
    built: list[nn.Module] = []

    def remember() -> nn.Module:
        built.append(build())
        return built[-1]

    search(problem(build_model=remember), replace(CONFIG, trainable="all"))
    assert all(weight.requires_grad for weight in built[0].parameters())
    query = built[0].bert.encoder.layer[0].attention.self.query
    assert not torch.equal(query.base.weight, build().bert.encoder.layer[0].attention.self.query.weight)


@pytest.mark.parametrize("order", ["simultaneous", "weights-first", "selection-first"])
def test_the_look_ahead_of_a_step_has_the_learning_rate_of_that_step(order: Any) -> None:
    """Without warm-up, the rate of 4 steps falls from the peak to a quarter of it; share and norms tell eta."""
    training = TrainingConfig(lr=0.01, steps=4, batch_size=8, warmup=0.0)
    found = search(problem(), SearchConfig(order=order, training=training, record_every=1))
    etas = [item["second_order_share"] * item["direct_norm"] / item["second_order_norm"] for item in found.history]
    assert etas == pytest.approx([0.01, 0.0075, 0.005, 0.0025])
