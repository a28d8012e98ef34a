"""Ranks reach the projections that they are for, and an export computes what was trained, or is refused."""

from typing import Any

import pytest
from peft import get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from autolora.adapters.projections import Projection
from autolora.adapters.ranks import RankAllocation


class Nested(nn.Module):
    """One projection's name is the end of another's."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"q_proj": nn.Linear(8, 8)})
        self.text = nn.ModuleDict({"encoder": nn.ModuleDict({"q_proj": nn.Linear(8, 8)})})

    def forward(self, x: Tensor) -> Any:
        inner: Any = self.text["encoder"]
        return self.encoder["q_proj"](x) + inner["q_proj"](x)


@pytest.mark.parametrize("ranks", [(4, 0), (0, 4), (4, 2), (2, 4)])
def test_ranks_of_names_that_end_alike_are_kept_apart(ranks: tuple[int, int]) -> None:
    names = ("encoder.q_proj", "text.encoder.q_proj")
    projections = [Projection(name, "query", 8, 8) for name in names]
    config = RankAllocation.of(projections, dict(zip(names, ranks, strict=True))).to_lora_config()
    model = get_peft_model(Nested(), config).get_base_model()  # type: ignore[arg-type]
    modules = [model.get_submodule(name) for name in names]
    assert tuple(module.r["default"] if isinstance(module, LoraLayer) else 0 for module in modules) == ranks


def test_names_that_cannot_be_confused_stay_a_list() -> None:
    names = ("layers.1.q_proj", "layers.11.q_proj")
    config = RankAllocation.of([Projection(name, "query", 8, 8) for name in names], dict.fromkeys(names, 2))
    assert config.to_lora_config().target_modules == set(names)
