"""Bases of 8 and 4 bits, where bitsandbytes is installed."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model
from peft.utils.integrations import dequantize_bnb_weight
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from autolora import FoundRanks, SearchConfig, find_ranks
from tests.autolora.finding.test_find_ranks import ALL_LINEAR, TRAIN, arguments, llama
from tests.support import tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"),
]
BITS = {
    4: BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),
    8: BitsAndBytesConfig(load_in_8bit=True),
}


@pytest.fixture(autouse=True)
def _with_a_saved_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    llama().save_pretrained("base")


def quantised(bits: int) -> Any:
    return AutoModelForCausalLM.from_pretrained(
        "base", quantization_config=BITS[bits], device_map="cpu", dtype=torch.float32, trust_remote_code=False
    )


def dequantised(bits: int) -> nn.Module:
    """The same model with linear layers in float32 whose weights are those that the quantised layers stand for."""
    model, plain = quantised(bits), llama()
    for name, layer in model.named_modules():
        if type(layer).__name__ in ("Linear4bit", "Linear8bitLt"):
            weight = dequantize_bnb_weight(layer.weight, state=getattr(layer, "state", None))
            plain.get_submodule(name).weight = nn.Parameter(weight.float())
    return plain


def found(build: Any, engine: Any) -> FoundRanks:
    settings = SearchConfig(engine=engine, record_every=1)
    args = arguments(learning_rate=1e-3)
    return find_ranks(build, TRAIN, lora_config=ALL_LINEAR, data_collator=tiny.texts, args=args, settings=settings)


@pytest.mark.parametrize("engine", ["finite-difference", "first-order"])
@pytest.mark.parametrize("bits", BITS)
def test_a_search_is_that_of_the_weights_which_the_quantised_ones_stand_for(bits: int, engine: str) -> None:
    ours, theirs = found(lambda: quantised(bits), engine), found(lambda: dequantised(bits), engine)
    assert len(ours.ranks) == 14
    for name in ("train_loss", "valid_loss", "direct_norm", "second_order_norm"):
        values = [each[name] for each in theirs.history]
        assert [each[name] for each in ours.history] == pytest.approx(values, rel=1e-3, abs=1e-9)
    for name, variables in theirs.selection.items():
        assert ours.selection[name] == pytest.approx(variables, abs=1e-6)
    adapted = get_peft_model(quantised(bits), ours.lora_config)
    adapted(**tiny.texts(TRAIN[:4])).loss.backward()
    assert all(weight.grad is not None for weight in adapted.parameters() if weight.requires_grad)


@pytest.mark.parametrize("bits", BITS)
def test_the_exact_engine_names_the_engines_to_take(bits: int) -> None:
    with pytest.raises(ValueError, match=r"'exact'.*set engine = 'finite-difference' or 'first-order'"):
        found(lambda: quantised(bits), "exact")
