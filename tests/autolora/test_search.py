import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from autolora import rank_search
from autolora.hypergradient import Bilevel, Hypergradient, exact
from autolora.search import search
from autolora.search_config import SearchConfig
from autolora.search_result import SearchResult
from autolora.training import TrainingConfig
from tests.tiny import build, collate, examples, problem

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


def test_selection_variables_move_by_the_validation_loss() -> None:
    found = search(problem(), replace(CONFIG, training=replace(TRAINING, steps=30)))
    assert max(found.history[-1]["spread"].values()) > 1e-3
    assert found.history[-1]["direct_norm"] > 0


@pytest.mark.parametrize("eta", [None, 1.0])
def test_the_models_hypergradient_equals_that_of_the_unrolled_step(
    eta: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[float] = []

    def compare(bilevel: Bilevel, eta: float) -> Hypergradient:
        found = exact(bilevel, eta)
        gradient = torch.autograd.grad(bilevel.train_loss(bilevel.weights), bilevel.weights, create_graph=True)
        ahead = [w - eta * g for w, g in zip(bilevel.weights, gradient, strict=True)]
        truth = torch.cat(torch.autograd.grad(bilevel.valid_loss(ahead), bilevel.logits))
        direct = torch.cat(found.direct)
        second = truth - direct
        checked.append(float((torch.cat(found.total) - direct - second).norm() / second.norm()))
        return found

    monkeypatch.setattr(rank_search, "ENGINES", {"exact": compare})
    plain = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    task = problem(build_model=lambda: build(dtype=torch.float64, **plain))
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
