"""A checkpoint is taken up by the training that wrote it, and by no other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autolora import SearchConfig, TrainingConfig, search, train
from autolora.adapters.adapt import adapt
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import Runtime
from autolora.problem import Problem
from autolora.training.checkpoint import load_checkpoint, save_checkpoint
from tests.support import tiny

TRAINING = TrainingConfig(lr=1e-2, steps=6, batch_size=8)
CONFIG = SearchConfig(training=TRAINING)


def problem(folder: Path, **changes: Any) -> Problem:
    return replace(tiny.problem(), runtime=Runtime(checkpoints=folder, checkpoint_seconds=0), **changes)


@pytest.mark.parametrize(
    ("changes", "config", "named"),
    [
        ({"seed": 1}, CONFIG, "seed was 0 and is 1"),
        ({}, replace(CONFIG, engine="first-order"), "engine was exact and is first-order"),
        ({}, replace(CONFIG, training=replace(TRAINING, lr=1e-3)), "training.lr was 0.01 and is 0.001"),
        ({}, replace(CONFIG, training=replace(TRAINING, steps=8)), "steps was 6 and is 8"),
        ({"train": tiny.examples(seed=5)}, CONFIG, "train"),
    ],
)
def test_a_search_refuses_the_checkpoint_of_another_one(
    changes: dict[str, Any], config: SearchConfig, named: str, tmp_path: Path
) -> None:
    first = search(problem(tmp_path), CONFIG)
    assert search(problem(tmp_path), CONFIG).selection == first.selection
    with pytest.raises(ValueError, match=named):
        search(problem(tmp_path, **changes), config)


def test_a_search_refuses_the_checkpoint_of_another_validation_set(tmp_path: Path) -> None:
    search(problem(tmp_path), CONFIG, valid=tiny.examples(16, seed=1))
    with pytest.raises(ValueError, match="valid was 16 examples"):
        search(problem(tmp_path), CONFIG, valid=tiny.examples(16, seed=2))


def test_so_does_a_training(tmp_path: Path) -> None:
    def trained(config: TrainingConfig, **changes: Any) -> None:
        given = problem(tmp_path, **changes)
        projections = find_projections(given.build_model())
        model = adapt(given, RankAllocation.uniform(projections, 2).to_lora_config())
        train(model, given, config, keep_last=True)

    trained(TRAINING)
    trained(TRAINING)
    trained(replace(TRAINING, micro_batches=2))  # the same gradients
    with pytest.raises(ValueError, match=r"lr was 0\.01 and is 0\.005"):
        trained(replace(TRAINING, lr=0.005))
    with pytest.raises(ValueError, match="seed was 0 and is 3"):
        trained(TRAINING, seed=3)


def test_a_checkpoint_without_an_identity_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = search(problem(tmp_path), CONFIG)
    path = tmp_path / "search.safetensors"
    save_checkpoint(path, {name: value for name, value in load_checkpoint(path).items() if name != "identity"})
    assert search(problem(tmp_path), CONFIG).selection == first.selection
    assert "without the problem's identity" in caplog.text
    assert (tmp_path / "search.damaged").exists()
