"""A loss that is NaN is explained by what can have caused it."""

from typing import Any

import pytest
import torch

from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from autolora.training.loop import Stage, run_steps
from autolora.training.train import train
from tests.support import tiny

TRAINING = TrainingConfig(steps=2, batch_size=4)


@pytest.mark.parametrize("labels", [-100, [-100, -100], torch.tensor([-100])], ids=str)
def test_examples_of_which_no_label_counts_are_refused_before_any_training(labels: Any) -> None:
    rows = [{**example, "labels": labels} for example in tiny.examples(8)]
    given = tiny.problem(train=rows, strata=None)
    with pytest.raises(ValueError, match="no label counts in the loss: the labels of all 8 examples are -100"):
        train(tiny.build(), given, TRAINING)
    with pytest.raises(ValueError, match="no label counts"):
        search(given, SearchConfig(training=TRAINING))


@pytest.mark.parametrize(("bad", "advice"), [(0, "lr is not the cause: look for a batch.*float16"), (1, "a lower lr")])
def test_a_first_loss_that_is_no_number_is_not_put_down_to_the_learning_rate(bad: int, advice: str) -> None:
    def step(index: int) -> torch.Tensor:
        return torch.tensor(float("nan") if index == bad else 1.0)

    with pytest.raises(NonFiniteLossError, match=advice):
        run_steps(Stage(name="walk", step=step, steps=3, state={}), Runtime())
