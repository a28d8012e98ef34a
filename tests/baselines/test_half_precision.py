"""Every baseline trains float32 on a base model in half precision."""

from functools import partial
from typing import Any

import pytest
import torch

from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from baselines.adalora import AdaLora
from baselines.adapter import Adapter
from baselines.full import Full
from baselines.lora import Lora
from baselines.lora_grid import LoraGrid, one_after_another, stacked
from baselines.stacking.lora_stack import StackConfig
from tests.support.tiny import build, collate, examples, problem

TRAINING = TrainingConfig(lr=1e-2, steps=4, batch_size=8)
METHODS: dict[str, Any] = {
    "adalora": AdaLora(training=TRAINING),
    "adapter": Adapter(width=4, training=TRAINING),
    "full": Full(training=TRAINING),
    "lora": Lora(training=TRAINING),
    "lora_grid": LoraGrid(ranks=(1, 2), training=TRAINING),
    "lora_grid_sequential": LoraGrid(ranks=(1, 2), stack=StackConfig(members=1), training=TRAINING),
}


def half(dtype: torch.dtype) -> Problem:
    return problem(build_model=partial(build, "roberta", dtype=dtype))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_what_is_trained_is_float32_and_what_is_frozen_keeps_its_type(dtype: torch.dtype, method: str) -> None:
    model = METHODS[method].train(half(dtype)).model
    assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}
    frozen = {weight.dtype for weight in model.parameters() if not weight.requires_grad}
    assert frozen >= {dtype} if method != "full" else not frozen
    logits = model(**collate(examples(4))).logits
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def test_a_stack_on_a_half_precision_model_trains_as_one_after_another() -> None:
    grid = METHODS["lora_grid"]
    given = half(torch.bfloat16)
    configs = [grid._peft_config(allocation) for allocation in grid._grid(given).values()]
    pairs = zip(stacked(given, configs, TRAINING, grid.stack), one_after_another(given, configs, TRAINING), strict=True)
    for (together, _), (alone, _) in pairs:
        assert together is not None
        assert alone is not None
        others = dict(alone.named_parameters())
        for name, weight in together.named_parameters():
            torch.testing.assert_close(weight, others[name], rtol=0.05, atol=2e-3)
