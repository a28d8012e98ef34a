"""The new head is what the checkpoint lacks, for the library and for the benchmark."""

import copy
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    Trainer,
    TrainingArguments,
    Wav2Vec2Config,
    Wav2Vec2ForSequenceClassification,
)

from autolora import RankSearch, problem_from_trainer
from autolora.adapters.adapt import adapt, fresh_model
from autolora.adapters.head import find_head
from autolora.adapters.layers import head_parameters
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from benchmarks.data.models.backbones import open_backbone
from tests.support.tiny import collate, examples, problem, save_tokenizer

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "pad_token_id": 0,
}
BERT, ROBERTA, DEBERTA, LLAMA = (kind(**SIZES) for kind in (BertConfig, RobertaConfig, DebertaV2Config, LlamaConfig))
DISTILBERT = DistilBertConfig(vocab_size=40, dim=16, hidden_dim=32, n_layers=1, n_heads=2)
GPT2 = GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, pad_token_id=0)
CASES: dict[str, tuple[Any, type[PreTrainedModel], type[PreTrainedModel], tuple[str, ...]]] = {
    "bert": (BERT, BertModel, BertForSequenceClassification, ("classifier",)),
    "bert without a pooler": (BERT, BertForMaskedLM, BertForSequenceClassification, ("pooler", "classifier")),
    "bert for tokens": (BERT, BertModel, BertForTokenClassification, ("classifier",)),
    "roberta": (ROBERTA, RobertaForMaskedLM, RobertaForSequenceClassification, ("classifier",)),
    "distilbert": (
        DISTILBERT,
        DistilBertForMaskedLM,
        DistilBertForSequenceClassification,
        ("pre_classifier", "classifier"),
    ),
    "deberta": (DEBERTA, DebertaV2Model, DebertaV2ForSequenceClassification, ("pooler", "classifier")),
    "gpt2": (GPT2, GPT2LMHeadModel, GPT2ForSequenceClassification, ("score",)),
    "gpt2 for texts": (GPT2, GPT2LMHeadModel, GPT2LMHeadModel, ()),
    "llama": (LLAMA, LlamaForCausalLM, LlamaForSequenceClassification, ("score",)),
    "llama for tokens": (LLAMA, LlamaForCausalLM, LlamaForTokenClassification, ("score",)),
    "llama for texts": (LLAMA, LlamaForCausalLM, LlamaForCausalLM, ()),
}


def loaded(case: str, folder: Path) -> PreTrainedModel:
    """A model of a case, from a checkpoint without its head."""
    config, checkpoint, kind, _ = CASES[case]
    checkpoint(config).save_pretrained(folder)
    return kind.from_pretrained(folder)


@pytest.mark.parametrize("case", CASES)
def test_the_head_is_what_the_checkpoint_lacks(case: str, tmp_path: Path) -> None:
    model = loaded(case, tmp_path)
    assert find_head(model) == CASES[case][3]
    _, info = CASES[case][2].from_pretrained(tmp_path, output_loading_info=True)
    in_head = {*head_parameters(model, find_head(model))}
    assert {name for name, weight in model.named_parameters() if weight in in_head} == set(info["missing_keys"])


@pytest.mark.parametrize("case", CASES)
def test_in_a_model_of_random_weights_it_is_what_lies_outside_of_the_base_model(case: str) -> None:
    config, _, kind, head = CASES[case]
    assert find_head(kind(config)) == (head if case != "bert without a pooler" else ("classifier",))


@pytest.mark.parametrize("case", ["distilbert", "deberta", "bert without a pooler", "gpt2"])
def test_every_method_trains_it_by_default(case: str, tmp_path: Path) -> None:
    loaded(case, tmp_path)
    given = problem(build_model=lambda: CASES[case][2].from_pretrained(tmp_path))
    projections = find_projections(fresh_model(given))
    model = adapt(given, RankAllocation.uniform(projections, 2).to_lora_config(split=True))
    assert model.peft_config["default"].modules_to_save == [*CASES[case][3]]
    searched = RankSearch(loaded(case, tmp_path), steps=1).model
    updates = {weight for layer in searched.layers.values() for weight in layer.parameters()}
    trained = {weight for weight in searched.parameters() if weight.requires_grad}
    assert trained - updates == {*head_parameters(searched.model, CASES[case][3])}


@pytest.mark.parametrize("case", ["bert", "bert without a pooler", "roberta", "distilbert", "deberta", "gpt2", "llama"])
def test_the_benchmark_trains_the_same_modules(case: str, tmp_path: Path) -> None:
    model = loaded(case, tmp_path)
    save_tokenizer(tmp_path)
    backbone = open_backbone(str(tmp_path))
    assert backbone.head == find_head(model)
    assert backbone.parameters == sum(w.numel() for w in model.parameters()) - sum(
        w.numel() for w in head_parameters(model, backbone.head)
    )


def test_the_trainers_model_shows_the_head_that_a_copy_of_it_hides(tmp_path: Path) -> None:
    model = loaded("bert without a pooler", tmp_path / "model")
    assert find_head(copy.deepcopy(model)) == ("classifier",)
    arguments = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True)
    trainer = Trainer(model, arguments, train_dataset=examples(), data_collator=collate)  # type: ignore[arg-type]
    assert problem_from_trainer(trainer).head == ("pooler", "classifier")


def test_a_model_of_speech_has_no_embeddings_of_tokens() -> None:
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, conv_dim=(8,), conv_stride=(4,),
        conv_kernel=(4,), num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    assert find_head(Wav2Vec2ForSequenceClassification(config)) == ("projector", "classifier")


def test_new_embeddings_are_no_head(tmp_path: Path) -> None:
    model = loaded("llama", tmp_path)
    model.resize_token_embeddings(41)
    assert find_head(model) == ("score",)


class Towers(nn.Module):
    """Two loaded bodies, of which one has a new pooler."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.text, self.image = (BertModel.from_pretrained(folder) for _ in range(2))
        self.image.pooler = nn.Linear(16, 16)


def test_a_name_that_loaded_modules_have_too_is_lengthened(tmp_path: Path) -> None:
    loaded("bert", tmp_path)
    model = Towers(tmp_path)
    assert find_head(model) == ("image.pooler",)
    assert head_parameters(model, ("image.pooler",)) == [*model.image.pooler.parameters()]


def test_where_nothing_shows_the_head_it_must_be_named() -> None:
    for model in (BertModel(BERT), nn.Sequential(nn.Linear(2, 2))):
        with pytest.raises(ValueError, match=r"head = \(NAME,\)"):
            find_head(model)
