"""A search with lean modules gives the result of a search with the modules that they replace."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from autolora.adapters.layers import by_components
from autolora.compute.runtime import Runtime
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from tests.support.tiny import build, problem

CONFIG = SearchConfig(max_rank=4, training=TrainingConfig(lr=1e-2, steps=55, batch_size=8), selection_lr=1e-2, eta=1.0)
STOOD_FOR = {"use_lean_layer_norm": lambda _: None, "lean_projection": by_components}
"""Name in `search_model` -> its replacement in a search without the lean module."""


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("name", STOOD_FOR)
def test_it_ends_where_one_without_ends(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = replace(problem(), build_model=lambda: build(kind, dtype=torch.float64), runtime=Runtime(graphs=True))
    lean = search(given, CONFIG)
    called: list[Any] = []

    def without(*inputs: Any) -> Any:
        called.append(inputs)
        return STOOD_FOR[name](*inputs)

    monkeypatch.setattr(f"autolora.rank_search.model.{name}", without)
    expected = search(given, CONFIG)
    assert called
    for projection, values in expected.selection.items():
        assert lean.selection[projection] == pytest.approx(values, abs=1e-6)  # kept in float32
    losses = [[record["valid_loss"] for record in found.history] for found in (lean, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)
