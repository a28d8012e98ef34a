"""Ranks reach the projections that they are for, and an export computes what was trained, or is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    ImageGPTConfig,
    ImageGPTModel,
    ModernBertConfig,
    ModernBertModel,
    MptConfig,
    MptModel,
    OpenAIGPTConfig,
    OpenAIGPTModel,
)

from autolora import export
from autolora.adapters.fused import SplitProjection, split_fused
from autolora.adapters.projections import Projection, find_projections
from autolora.adapters.ranks import RankAllocation

BATCH = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])


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


def test_a_module_that_the_targets_leave_out_is_not_adapted_for_the_end_of_its_name() -> None:
    projections = find_projections(Nested(), r"encoder\.q_proj")
    config = RankAllocation.uniform(projections, 2).to_lora_config()
    model = get_peft_model(Nested(), config).get_base_model()  # type: ignore[arg-type]
    adapted = [name for name, module in model.named_modules() if isinstance(module, LoraLayer)]
    assert adapted == ["encoder.q_proj"]


def test_names_that_cannot_be_confused_stay_a_list() -> None:
    names = ("layers.1.q_proj", "layers.11.q_proj")
    config = RankAllocation.of([Projection(name, "query", 8, 8) for name in names], dict.fromkeys(names, 2))
    assert config.to_lora_config().target_modules == set(names)


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    return GPT2LMHeadModel(GPT2Config(**sizes, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))


def adapted(**options: Any) -> PeftModel:
    """A split GPT-2 whose adapter has been trained: every trainable number has moved."""
    base = gpt2()
    split_fused(base)
    targets = [name for name, _ in base.named_modules() if name.endswith(("c_attn.query", "c_attn.value"))]
    config = LoraConfig(**{"r": 2, "lora_alpha": 8, "target_modules": targets, **options})
    model = get_peft_model(base, config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn_like(weight))
    return model.eval()


CARRIED = {
    "plain": {},
    "all biases": {"bias": "all"},
    "biases of adapted layers": {"bias": "lora_only"},
    "rank-stabilised": {"use_rslora": True},
    "other layers too": {"target_modules": r".*\.(c_attn\.(query|value)|c_fc)"},
    "a module trained in full": {"modules_to_save": ["ln_f"]},
}


@pytest.mark.parametrize("name", CARRIED)
def test_an_export_computes_what_was_trained(name: str, tmp_path: Path) -> None:
    model = adapted(**CARRIED[name])
    expected = model(input_ids=BATCH).logits
    export(model).save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(gpt2(), str(tmp_path)).eval()
    assert torch.allclose(loaded(input_ids=BATCH).logits, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"lora_bias": True}, "lora_bias"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"target_modules": ["query", "wte"]}, "wte"),
        ({"trainable_token_indices": [1, 2]}, "trainable_token_indices"),
        ({"modules_to_save": ["key"]}, "modules_to_save"),
    ],
)
def test_what_an_export_cannot_carry_is_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        export(adapted(**options))


SIZES: dict[str, Any] = {"vocab_size": 64, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16}
FUSED: dict[str, Callable[[], nn.Module]] = {
    "gpt2": lambda: GPT2Model(GPT2Config(**SIZES)),
    "imagegpt": lambda: ImageGPTModel(ImageGPTConfig(**SIZES)),
    "openai": lambda: OpenAIGPTModel(OpenAIGPTConfig(**SIZES)),
    "mpt": lambda: MptModel(MptConfig(vocab_size=64, d_model=16, n_heads=2, n_layers=1)),
    "modernbert": lambda: ModernBertModel(
        ModernBertConfig(
            vocab_size=64,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            pad_token_id=0,
        )
    ),
}


@pytest.mark.parametrize("name", FUSED)
def test_without_its_values_a_split_attention_computes_the_same_at_every_position(name: str) -> None:
    """The rows that are called the value's are the value's: where they are 0, nothing of the input is left."""
    torch.manual_seed(0)
    model = FUSED[name]().eval()
    split_fused(model)
    (path,) = [path for path, module in model.named_modules() if isinstance(module, SplitProjection)]
    outputs: list[Tensor] = []
    owner = model.get_submodule(path.rpartition(".")[0])
    owner.register_forward_hook(lambda _module, _inputs, output: outputs.append(output[0]))
    model(input_ids=BATCH)
    model.get_submodule(f"{path}.value").requires_grad_(False).weight.zero_()  # type: ignore[operator, union-attr]
    model(input_ids=BATCH)
    before, after = (output.std(dim=1, correction=0).max() for output in outputs)
    assert before > 0
    assert after < 1e-3 * before


def test_a_fused_projection_is_split_only_where_its_rows_are_known() -> None:
    """GPT-BigCode with all heads interleaves each head's query, key and value rows."""
    model = GPTBigCodeForCausalLM(GPTBigCodeConfig(**SIZES, multi_query=False))
    split_fused(model)
    assert not any(isinstance(module, SplitProjection) for module in model.modules())
    with pytest.raises(ValueError, match=r"fuses query and value into one matrix \(c_attn\)"):
        find_projections(model)
