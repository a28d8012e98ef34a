"""What is trained is float32 whatever the type of the base model, whose frozen weights keep theirs."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    RobertaForSequenceClassification,
)

from autolora import Problem, RetrainConfig, Runtime, SearchConfig, TrainingConfig, export, retrain, search
from autolora.rank_search.search import begin
from autolora.training.train import train
from tests.support.tiny import build, collate, examples, problem, texts

HALF = (torch.bfloat16, torch.float16)
TRAINING = TrainingConfig(lr=1e-2, steps=5, batch_size=8)
CONFIG = SearchConfig(selection_lr=0.05, training=TRAINING)
LLAMA: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "pad_token_id": 0,
}


def llama(kind: Any = LlamaForCausalLM, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = kind(LlamaConfig(**LLAMA)).to(dtype)
    return model


def gpt2(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    model: nn.Module = GPT2LMHeadModel(config).to(dtype)
    return model


def language(dtype: torch.dtype = torch.float32) -> Problem:
    return problem(build_model=partial(llama, dtype=dtype), collate=texts, head=(), strata=None, score=None)


def dtypes(model: nn.Module, *, trained: bool) -> set[torch.dtype]:
    return {weight.dtype for weight in model.parameters() if weight.requires_grad is trained}


@pytest.mark.parametrize("engine", ["exact", "finite-difference"])
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_search_moves_the_selection_as_on_a_float32_base(dtype: torch.dtype, engine: Any) -> None:
    config = SearchConfig(selection_lr=1e-3, training=TRAINING, engine=engine)
    found, full = search(language(dtype), config), search(language(), config)
    for name, values in found.selection.items():
        assert torch.tensor(values).allclose(torch.tensor(full.selection[name]), atol=3e-4)
        assert len(set(values)) > 1, "the variables have moved apart, which half precision rounds away"


@pytest.mark.parametrize("graphs", [False, True])
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_search_trains_float32_and_its_optimizer_keeps_float32(dtype: torch.dtype, graphs: bool) -> None:  # noqa: FBT001
    given = problem(build_model=partial(build, "roberta", dtype=dtype), runtime=Runtime(graphs=graphs))
    searching = begin(given, CONFIG, 5)
    loss = searching.step(0, *[collate(given.examples(range(start, start + 8))) for start in (0, 8)])
    assert loss.dtype == torch.float32
    assert {tensor.dtype for tensor in (*searching.model.weights, *searching.model.logits)} == {torch.float32}
    assert dtypes(searching.model.model, trained=False) == {dtype}
    states = searching.state["optimization"].state_dict()["optimizer"]["state"].values()
    assert {state["exp_avg"].dtype for state in states} == {torch.float32}
    assert searching.model.model(**collate(given.examples(range(4)))).logits.dtype == torch.float32


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_search_over_all_weights_leaves_none_in_half_precision(dtype: torch.dtype) -> None:
    given = problem(build_model=partial(build, dtype=dtype))
    searching = begin(given, SearchConfig(trainable="all", training=TRAINING), 5)
    assert {weight.dtype for weight in searching.model.parameters()} == {torch.float32}
    assert searching.step(0, *[collate(given.examples(range(8)))] * 2).isfinite()


@pytest.mark.parametrize("bias", ["none", "all"])
@pytest.mark.parametrize("kind", ["bert", "roberta", "llama"])
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_retraining_trains_float32(dtype: torch.dtype, kind: str, bias: Any) -> None:
    builder = partial(llama, LlamaForSequenceClassification) if kind == "llama" else partial(build, kind)
    given = problem(build_model=partial(builder, dtype=dtype))
    model, _ = retrain(given, search(given, CONFIG).allocation, RetrainConfig(bias=bias, training=TRAINING))
    assert dtypes(model, trained=True) == {torch.float32}
    assert dtype in dtypes(model, trained=False)
    logits = model(**collate(examples(4))).logits
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize("bias", ["none", "all"])
def test_an_export_of_a_half_precision_model_computes_the_same(bias: Any) -> None:
    given = problem(build_model=partial(gpt2, torch.bfloat16), collate=texts, head=(), strata=None, score=None)
    model, _ = retrain(given, search(given, CONFIG).allocation, RetrainConfig(bias=bias, training=TRAINING))
    batch = texts(examples(4))
    trained, exported = model.eval()(**batch).logits.float(), export(model)(**batch).logits.float()
    assert (trained - exported).abs().max() < 0.02 * trained.abs().max()  # bfloat16 has 8 bits


def test_a_trained_embedding_hands_the_frozen_body_its_own_type() -> None:
    model = llama(LlamaForSequenceClassification, torch.bfloat16).requires_grad_(False)
    for name in ("model.embed_tokens", "score"):
        model.get_submodule(name).requires_grad_()
    train(model, problem(), TRAINING)
    assert dtypes(model, trained=True) == {torch.float32}
    assert model.get_submodule("model.layers").get_parameter("0.mlp.up_proj.weight").dtype == torch.bfloat16


def test_a_head_on_a_half_precision_body_is_as_precise_as_in_float32() -> None:
    model = build("roberta", dtype=torch.bfloat16)
    assert isinstance(model, RobertaForSequenceClassification)
    batch = collate(examples(4))
    features = model.eval().roberta(batch["input_ids"], batch["attention_mask"])[0]
    head = build("roberta").get_submodule("classifier").requires_grad_(False)
    for weight in head.parameters():
        weight.copy_(weight.bfloat16())
    model.requires_grad_(False).get_submodule("classifier").requires_grad_()
    frozen = TrainingConfig(lr=1e-30, steps=1, batch_size=4, weight_decay=0.0)
    train(model, problem(), frozen)
    torch.testing.assert_close(model.eval()(**batch).logits, head.eval()(features.float()), rtol=1e-5, atol=1e-6)
