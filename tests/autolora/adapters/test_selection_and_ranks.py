import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model

from autolora.adapters.projections import Projection, find_projections
from autolora.adapters.ranks import RankAllocation, derive_ranks
from autolora.adapters.selection import PARAMETERISATIONS, parameterisation
from tests.support.tiny import build, collate, examples

SOFTMAX = PARAMETERISATIONS["softmax"]


def test_a_softmax_selection_never_loses_every_component() -> None:
    selection = torch.tensor([9.0, -9.0, -9.0, -9.0]).softmax(0)
    assert derive_ranks({"query": selection}, SOFTMAX) == {"query": 1}


@pytest.mark.parametrize("k", range(1, 17))
def test_an_equal_selection_keeps_every_component(k: int) -> None:
    for value in (0.0, 0.3, 7.0):
        assert derive_ranks({"query": torch.full((k,), value).softmax(0)}, SOFTMAX) == {"query": k}


@pytest.mark.parametrize(
    ("name", "logits", "rank"),
    [
        ("softmax", [0.0, 0.1, 0.2, 0.3], 2),  # softmax 0.214 0.237 0.262 0.289 against 0.25
        ("unconstrained", [1.0, 2.0, 3.0, 10.0], 1),  # mean 4
        ("unconstrained", [-1.0, -2.0, -3.0, -2.0], 3),  # mean -2
        ("sigmoid", [-1.0, 0.0, 0.1, 5.0], 3),  # 0.5 where the logit is 0
        ("sigmoid", [-1.0, -0.1, -0.2, -5.0], 0),
    ],
)
def test_each_parameterisation_keeps_what_reaches_its_threshold(name: str, logits: list[float], rank: int) -> None:
    rule = parameterisation(name)
    assert derive_ranks({"value": rule.select(torch.tensor(logits))}, rule) == {"value": rank}


def test_an_unknown_parameterisation_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="softmax, unconstrained, sigmoid"):
        parameterisation("softmin")


@pytest.mark.parametrize("values", [torch.tensor([]), torch.tensor([[0.5, 0.5]]), torch.tensor([0.5, torch.nan])])
def test_a_selection_that_is_no_vector_of_numbers_is_refused(values: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"selection\['query'\]"):
        derive_ranks({"query": values}, SOFTMAX)


def unequal() -> RankAllocation:
    return RankAllocation(find_projections(build()), (1, 3, 0, 2))


def test_parameters_are_the_sum_of_rank_times_inputs_plus_outputs() -> None:
    assert unequal().parameters == (1 + 3 + 0 + 2) * (16 + 16)
    base = tuple(Projection(f"layer.{i}.query", "query", 768, 768) for i in range(24))
    assert RankAllocation.uniform(base, 4).parameters == 147_456  # LoRA with r = 4 in RoBERTa-base


def test_peft_trains_exactly_the_allocated_ranks() -> None:
    model = get_peft_model(build(), unequal().to_lora_config())
    found = {
        name.removeprefix("base_model.model."): module.r["default"]
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }
    assert found == {name: rank for name, rank in unequal().by_name().items() if rank}
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == unequal().parameters


@pytest.mark.parametrize(("scaling", "expected"), [("by-rank", [16.0, 16 / 3, 8.0]), ("constant", [8.0, 8.0, 8.0])])
def test_scaling_is_by_rank_or_the_same_everywhere(scaling: str, expected: list[float]) -> None:
    model = get_peft_model(build(), unequal().to_lora_config(scaling=scaling))
    found = [module.scaling["default"] for module in model.modules() if hasattr(module, "lora_A")]
    assert found == pytest.approx(expected)


def test_a_saved_adapter_gives_the_same_logits_in_plain_peft(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = get_peft_model(build(), unequal().to_lora_config(modules_to_save=["classifier"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    model.eval().save_pretrained(tmp_path)
    batch = collate(examples(5))
    loaded = PeftModel.from_pretrained(build(), tmp_path).eval()
    assert torch.equal(loaded(**batch).logits, model(**batch).logits)


def test_an_allocation_survives_a_file(tmp_path: Path) -> None:
    unequal().save(tmp_path / "ranks.json")
    assert RankAllocation.load(tmp_path / "ranks.json") == unequal()
    assert json.loads((tmp_path / "ranks.json").read_text())["ranks"] == [1, 3, 0, 2]


def test_nothing_left_to_adapt_is_an_error() -> None:
    with pytest.raises(ValueError, match="rank 0"):
        RankAllocation.uniform(find_projections(build()), 0).to_lora_config()


def test_as_many_ranks_as_projections_are_needed() -> None:
    with pytest.raises(ValueError, match="4 projections need as many ranks"):
        RankAllocation(find_projections(build()), (1, 2))
