from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from benchmarks.methods.autolora import passes, would_stop
from tests.support.tiny import problem

BETTY = {"engine": "betty", "eta": 1.0, "look_ahead": "optimizer"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"eta": 0.0},
        {"order": "weights-first"},
        {"engine": "finite-difference"},
        {"engine": "finite-difference-one-sided"},
        {"engine": "first-order"},
        {"eta": 1.0, "look_ahead": "optimizer"},
        BETTY,
        {**BETTY, "order": "selection-first"},
    ],
)
def test_the_estimated_passes_are_the_losses_computed_and_one_more_for_a_second_derivative(
    fields: dict[str, Any],
) -> None:
    if fields.get("engine") == "betty":
        pytest.importorskip("betty")
    losses = []

    def loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        losses.append(len(batch))
        return model(**batch).loss

    config = SearchConfig(max_rank=4, training=TrainingConfig(steps=5, batch_size=8), **fields)
    search(problem(loss=loss), config)
    differentiated_twice = config.engine == "exact" and config.eta != 0
    once = 1  # finds out, before the first step, whether a gradient reaches every projection
    assert passes(config) == (len(losses) - once) / 5 + differentiated_twice


def test_what_convergence_would_save_follows_from_the_history() -> None:
    config = SearchConfig(max_rank=4, training=TrainingConfig(steps=150, batch_size=4), selection_lr=1e-9)
    found = search(problem(), config)
    assert would_stop(found) == {"saved": pytest.approx(1 - 110 / 150), "same_ranks": 1.0}
    moving = search(problem(), replace(config, selection_lr=1e-1))
    assert would_stop(moving)["saved"] == 0
