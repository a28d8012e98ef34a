"""What cannot be searched is refused with a message, and a search that goes wrong says where."""

import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AlbertConfig, AlbertForSequenceClassification

from autolora.compute.runtime import NonFiniteLossError
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from tests.support.tiny import build, examples, problem

TRAINING = TrainingConfig(lr=1e-2, steps=6, batch_size=8, warmup=0)
CONFIG = SearchConfig(max_rank=4, training=TRAINING, selection_lr=1e-2, record_every=2)


def tied() -> nn.Module:
    model = build()
    layers = model.bert.encoder.layer
    layers[1].attention.self.query.weight = layers[0].attention.self.query.weight
    return model


def quantised() -> nn.Module:
    model = build()
    query = model.bert.encoder.layer[0].attention.self.query
    query.weight = nn.Parameter(query.weight.to(torch.int8), requires_grad=False)
    return model


def shared() -> nn.Module:
    config = AlbertConfig(
        vocab_size=40,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
    )
    return AlbertForSequenceClassification(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"build_model": tied}, "share their weights"),
        ({"build_model": shared}, "shares its projections between 3 layers"),
        ({"build_model": quantised}, r"query is quantised \(torch.int8\)"),
        ({"head": ("lm_head",)}, "no module named lm_head: its output head would stay frozen"),
        ({"build_model": lambda: nn.Linear(3, 2), "head": ()}, "name them with targets"),
        ({"train": examples(1), "strata": [0]}, "too few to hold out"),
        ({"train": examples(8), "strata": [0] * 7 + [1]}, "class 1 on one side only"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_any_training(changes: dict[str, Any], message: str) -> None:
    def loss(model: nn.Module, batch: object) -> torch.Tensor:  # noqa: ARG001
        pytest.fail("something was trained")

    with pytest.raises(ValueError, match=message):
        search(problem(loss=loss, **changes), CONFIG)


def test_a_rank_beyond_the_projection_is_refused_before_any_training() -> None:
    with pytest.raises(ValueError, match=r"1\.\.16"):
        search(problem(), replace(CONFIG, max_rank=17))


def test_logits_that_are_no_number_stop_the_search_with_step_and_layer() -> None:
    config = replace(CONFIG, initial_logit=float("inf"))
    with pytest.raises(NonFiniteLossError, match=r"(step \d+|layer\.0\.attention\.self\.query .* step 2)"):
        search(problem(), config)


def test_without_betty_its_engine_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "betty", None)
    monkeypatch.setitem(sys.modules, "betty.configs", None)
    monkeypatch.delitem(sys.modules, "autolora.rank_search.betty", raising=False)
    config = replace(CONFIG, engine="betty", eta=1.0, look_ahead="optimizer")
    with pytest.raises(ImportError, match="--ignore-requires-python betty-ml"):
        search(problem(), config)
