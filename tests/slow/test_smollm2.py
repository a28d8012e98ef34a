"""SmolLM2 from its package, converted at the first use."""

import importlib.util
from pathlib import Path

import pytest
import torch

from autolora.adapters.projections import find_projections
from benchmarks.data.models import smollm2
from benchmarks.data.models.backbones import Backbone, open_backbone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, (smollm2._PACKAGE, "gguf"))),
        reason=f"SmolLM2's packages are not installed: {smollm2.INSTALL}",
    ),
]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return open_backbone("smollm2")


def test_it_has_the_published_properties(backbone: Backbone) -> None:
    assert backbone.parameters == 134_515_008
    assert backbone.head == ("score",)
    assert backbone.positions == 8192
    assert backbone.config.rope_parameters["rope_theta"] == 1e5
    assert "4 bits" in backbone.title


def test_every_digit_is_a_token(backbone: Backbone) -> None:
    tokens = backbone.tokenizer.convert_ids_to_tokens(backbone.tokenizer("in 1984?")["input_ids"])
    assert tokens == ["in", "Ġ", "1", "9", "8", "4", "?"]


def test_its_weights_are_plain_and_can_be_saved(backbone: Backbone, tmp_path: Path) -> None:
    model = backbone.builder(0, 0, head="language")().float()
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert len(find_projections(model)) == 60
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size > 4 * 134_515_008


@torch.inference_mode()
def test_it_continues_a_sentence_with_a_fact(backbone: Backbone) -> None:
    model = backbone.builder(0, 0, head="language")().eval()
    prompt = backbone.tokenizer("The capital of France is", return_tensors="pt")
    assert backbone.tokenizer.decode([int(model(**prompt).logits[0, -1].argmax())]) == " Paris"
