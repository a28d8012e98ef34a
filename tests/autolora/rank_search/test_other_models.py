"""Searches on models as users have them: half precision, fused, wrapped, cut off, seeded by themselves."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import get_peft_model
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MambaConfig, MambaForCausalLM

from autolora import Problem, RankSearch, SearchConfig, TrainingConfig, search
from autolora.adapters.adapt import fresh_model
from autolora.adapters.projections import Projection
from autolora.adapters.ranks import RankAllocation
from autolora.rank_search.search import begin

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
TRAINING = TrainingConfig(lr=1e-2, steps=5, batch_size=8)
CONFIG = SearchConfig(selection_lr=0.05, training=TRAINING)


def llama(kind: type[nn.Module] = LlamaForCausalLM, **options: Any) -> Any:
    torch.manual_seed(0)
    return kind(LlamaConfig(**SIZES, num_key_value_heads=2, pad_token_id=0, **options))


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4))


def tokens(number: int = 32) -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(3, 64, (number, 8), generator=generator).tolist()


def collate(rows: Any) -> dict[str, Tensor]:
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def problem(build: Callable[[], nn.Module] = llama, train: Any = None, **options: Any) -> Problem:
    train = train or [{"input_ids": row, "labels": row} for row in tokens()]
    return Problem(**{"build_model": build, "train": train, "collate": collate, "head": (), **options})


def test_two_seeds_start_from_other_factors_even_where_the_builder_seeds_torch() -> None:
    first, second = (begin(problem(seed=seed), CONFIG, 5).model.layers for seed in (0, 1))
    assert len(first) == 4
    for one, other in zip(first.values(), second.values(), strict=True):
        assert not torch.equal(one.lora_A, other.lora_A)


def test_a_head_that_the_builder_draws_without_a_seed_depends_on_the_problems_seed_alone() -> None:
    def drawn(seed: int) -> Tensor:
        torch.rand(seed + 3)  # whatever was drawn before
        weight: Tensor = fresh_model(problem(lambda: nn.Linear(3, 2), seed=seed)).weight  # type: ignore[assignment]
        return weight

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_a_fused_model_goes_through_every_entry_point() -> None:
    found = search(problem(gpt2), CONFIG)
    config = found.allocation.to_lora_config(task_type="CAUSAL_LM")
    model = get_peft_model(gpt2(), config)
    for block in range(2):
        name = f"transformer.h.{block}.attn.c_attn"
        layer: Any = model.get_base_model().get_submodule(name)
        assert layer.r["default"] == found.ranks[f"{name}.query"] + found.ranks[f"{name}.value"]
    in_progress = RankSearch(gpt2(), CONFIG, steps=2, head=())
    in_progress.step(0, collate(problem().train[:4]), collate(problem().train[4:8]))
    assert in_progress.result().ranks.keys() == found.ranks.keys()


class Inside(nn.Module):
    """A model in a module of the user's own."""

    def __init__(self, config: LlamaConfig | None = None) -> None:
        super().__init__()
        self.inner = LlamaForCausalLM(config) if config else llama()

    def forward(self, **batch: Tensor) -> Any:
        return self.inner(**batch)


def test_a_model_inside_another_module_is_searched_and_its_config_stays() -> None:
    config = LlamaConfig(**SIZES, num_key_value_heads=2)
    before = Inside(config).inner.config._attn_implementation
    assert len(search(problem(lambda: Inside(config)), CONFIG).ranks) == 4
    assert config._attn_implementation == before


def reentrant() -> nn.Module:
    model = llama()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    return model  # type: ignore[no-any-return]


class TwoTowers(nn.Module):
    """The first is computed without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.trained = llama(), llama()

    def forward(self, **batch: Tensor) -> Any:
        with torch.no_grad():
            self.frozen(**batch)
        return self.trained(**batch)


@pytest.mark.parametrize(
    ("build", "name"),
    [(reentrant, "model.layers.0.self_attn.q_proj"), (TwoTowers, "frozen.model.layers.0.self_attn.q_proj")],
)
def test_a_projection_that_no_gradient_reaches_is_named_before_anything_is_trained(
    build: Callable[[], nn.Module], name: str
) -> None:
    with pytest.raises(ValueError, match=rf"no gradient .*{name}.*use_reentrant"):
        search(problem(build), CONFIG)


def test_a_peft_model_is_answered_with_what_to_give() -> None:
    projections = [Projection("model.layers.0.self_attn.q_proj", "query", 32, 32)]
    config = RankAllocation.uniform(projections, 2).to_lora_config()
    with pytest.raises(ValueError, match="give the base model"):
        search(problem(lambda: get_peft_model(llama(), config)), CONFIG)


def test_a_model_without_attention_is_not_told_that_it_fuses_query_and_value() -> None:
    def build() -> nn.Module:
        return MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2))

    with pytest.raises(ValueError, match="no query and value projections") as caught:
        search(problem(build), CONFIG)
    assert "fuses" not in str(caught.value)
