"""`Problem.targets` selects what PEFT's `target_modules` selects, and says why it cannot."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    ViTConfig,
    ViTForImageClassification,
)

from autolora.adapters.fused import SplitProjection, split_fused
from autolora.adapters.layers import attach
from autolora.adapters.projections import find_projections
from autolora.adapters.selection import PARAMETERISATIONS
from autolora.problem import Targets
from tests.support.tiny import build

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


def llama(**options: Any) -> LlamaForCausalLM:
    return LlamaForCausalLM(LlamaConfig(**SIZES, **options))


def mixtral() -> MixtralForCausalLM:
    return MixtralForCausalLM(MixtralConfig(**SIZES, num_local_experts=2))


def gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2))


def vit() -> ViTForImageClassification:
    sizes = {name: SIZES[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers")}
    return ViTForImageClassification(ViTConfig(**sizes, num_attention_heads=2, image_size=8, patch_size=4))


def selected(model: nn.Module, targets: Targets, *head: str) -> list[str]:
    split_fused(model, targets)
    return [projection.name for projection in find_projections(model, targets, head)]


def adapted_by_peft(model: nn.Module, targets: Any, *head: str) -> list[str]:
    config = LoraConfig(target_modules=targets, modules_to_save=[*head] or None)
    base = get_peft_model(model, config).get_base_model()  # type: ignore[arg-type]
    return [name for name, module in base.named_modules() if isinstance(module, LoraLayer)]


@pytest.mark.parametrize("make", [llama, gpt2, vit, build])
@pytest.mark.parametrize(
    "targets", ["all-linear", r".*\.1\..*(q_proj|c_fc|c_attn|query)", ["q_proj", "c_attn", "query"]]
)
def test_the_layers_are_those_that_peft_adapts(make: Callable[[], nn.Module], targets: Any) -> None:
    head = ("classifier",) if hasattr(make(), "classifier") else ()
    if isinstance(targets, list):
        names = [name for name, _ in make().named_modules()]
        targets = [target for target in targets if any(name.endswith(target) for name in names)]
    found = selected(make(), targets, *head)
    assert found
    assert found == adapted_by_peft(make(), targets, *head)


def test_a_role_is_query_value_or_the_last_part_of_the_name() -> None:
    roles = [projection.role for projection in find_projections(llama(), "all-linear")]
    assert roles == ["query", "k_proj", "value", "o_proj", "gate_proj", "up_proj", "down_proj"] * 2


def test_a_layer_knows_its_outputs_and_inputs_also_where_its_weight_is_transposed() -> None:
    sizes = {p.role: (p.out_features, p.in_features) for p in find_projections(gpt2(), ["c_attn", "c_fc"])}
    assert sizes == {"c_attn": (48, 16), "c_fc": (64, 16)}


def test_the_output_of_a_model_inside_another_module_is_not_all_linear() -> None:
    assert "0.lm_head" not in selected(nn.Sequential(llama()), "all-linear")


@pytest.mark.parametrize(
    ("targets", "split"), [(None, 2), (["c_attn.value"], 2), (["key"], 2), (["c_attn"], 0), ("all-linear", 0)]
)
def test_a_fused_projection_is_split_where_a_part_of_it_is_wanted(targets: Targets | None, split: int) -> None:
    model = gpt2()
    split_fused(model, targets)
    assert sum(isinstance(module, SplitProjection) for module in model.modules()) == split


@pytest.mark.parametrize(
    ("make", "targets", "message"),
    [
        (llama, ["q_proj", "qproj"], "no linear layer named 'qproj'; the nearest are .*q_proj"),
        (llama, ["attn.q_proj"], "named 'attn.q_proj'; the nearest are .*self_attn.q_proj"),
        (llama, ["zzz"], "named 'zzz'; it has down_proj, gate_proj"),
        (llama, "q_proj", r"regular expression 'q_proj'.*q_proj.*targets = \[NAME\]"),
        (llama, "(", "no regular expression"),
        (llama, ["q_proj", "q_proj"], "none twice; got q_proj, q_proj"),
        (llama, [], "at least one name"),
        (llama, ["embed_tokens"], "model.embed_tokens, a module of type Embedding"),
        (gpt2, ["wte"], "transformer.wte, a module of type Embedding"),
        (vit, ["projection"], "patch_embeddings.projection, a module of type Conv2d"),
        (lambda: llama(tie_word_embeddings=True), ["lm_head"], "lm_head, which is tied to model.embed_tokens"),
        (mixtral, ["down_proj"], "model.layers.0.mlp.experts.down_proj, a bare parameter"),
        (mixtral, "all-linear", "model.layers.0.mlp.experts.gate_up_proj is a bare parameter.*from k_proj, o_proj"),
        (build, ["classifier"], r"classifier of the new head \(classifier\)"),
        (lambda: nn.MultiheadAttention(4, 2), ["out_proj"], "out_proj, whose weight nn.MultiheadAttention reads"),
    ],
)
def test_what_cannot_be_selected_is_named_with_the_reason(
    make: Callable[[], nn.Module], targets: Targets, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        selected(make(), targets, "classifier")


def test_a_rank_beyond_the_narrowest_layer_is_refused_by_its_name() -> None:
    model = llama()
    projections = find_projections(model, "all-linear")
    with pytest.raises(ValueError, match=r"1\.\.8, the own rank of model\.layers\.0\.self_attn\.k_proj; got 9"):
        attach(model, projections, 9, 16.0, PARAMETERISATIONS["softmax"])
    assert isinstance(model.model.layers[0].self_attn.q_proj, nn.Linear)


def test_an_output_layer_of_its_own_can_be_named() -> None:
    assert selected(llama(), ["lm_head"]) == ["lm_head"]


def test_a_transposed_layer_adds_its_weighted_rank_one_matrices() -> None:
    torch.manual_seed(0)
    model = gpt2()
    (name, *_) = selected(model, ["c_fc"])
    conv: Any = model.get_submodule(name)
    layer = attach(model, find_projections(model, ["c_fc"])[:1], 3, 6.0, PARAMETERISATIONS["softmax"])[name]
    nn.init.normal_(layer.lora_B)
    x = torch.randn(2, 5, 16)
    weight = conv.weight.T + 2 * layer.lora_B @ torch.diag(layer.selection) @ layer.lora_A
    assert torch.allclose(layer(x), x @ weight.T + conv.bias, atol=1e-5)
