"""The losses of a batch's parts, each with its share, add up to the batch's loss, whatever the loss is the mean over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BartConfig,
    BartForCausalLM,
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    Trainer,
    TrainingArguments,
)

from autolora.compute.runtime import Runtime
from autolora.problem import Problem, model_loss
from autolora.trainer import problem_from_trainer
from autolora.training.config import TrainingConfig
from autolora.training.micro_batches import HuggingFaceDenominator, counted_labels, denominator_of, micro_batches
from autolora.training.train import train
from tests.support import tiny

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
IDS = torch.tensor([[5, 6, 0, 0, 0, 0], [5, 6, 7, 8, 9, 10], [4, 5, 6, 7, 0, 0]])
LABELS = IDS.masked_fill(IDS == 0, -100)
BERT = BertConfig(**SIZES)
KINDS: dict[str, tuple[Any, Mapping[str, Tensor]]] = {
    "causal": (lambda: LlamaForCausalLM(LlamaConfig(**SIZES)), {"labels": LABELS}),
    "causal, GPT-2": (
        lambda: GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=16, n_layer=1, n_head=2)),
        {"labels": LABELS},
    ),
    "causal, in place": (
        lambda: BartForCausalLM(
            BartConfig(
                vocab_size=64, d_model=16, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, dropout=0.0
            )
        ),
        {"labels": LABELS},
    ),
    "causal, own loss_function": (tiny.decoder, {"labels": LABELS}),
    "masked": (lambda: BertForMaskedLM(BERT), {"labels": LABELS}),
    "encoder and decoder": (
        lambda: T5ForConditionalGeneration(
            T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
        ),
        {"labels": LABELS},
    ),
    "tokens": (lambda: BertForTokenClassification(BERT), {"labels": LABELS.clamp(max=1)}),
    "sequences": (lambda: BertForSequenceClassification(BERT), {"labels": torch.tensor([0, 1, 1])}),
    "regression": (
        lambda: BertForSequenceClassification(BertConfig(**SIZES, num_labels=1)),
        {"labels": torch.tensor([0.5, 1.0, -100.0])},
    ),
    "answers": (
        lambda: BertForQuestionAnswering(BERT),
        {"start_positions": torch.tensor([0, 1, 2]), "end_positions": torch.tensor([1, 2, 3])},
    ),
    "answers, one outside of the text": (
        lambda: BertForQuestionAnswering(BERT),
        {"start_positions": torch.tensor([0, 1, 6]), "end_positions": torch.tensor([1, 2, 6])},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [2, 3])
def test_the_parts_losses_add_up_to_the_batchs(kind: str, number: int) -> None:
    build, labels = KINDS[kind]
    torch.manual_seed(0)
    model: nn.Module = build().double().eval()
    batch = {"input_ids": IDS, **labels}
    if kind == "regression":
        batch["labels"] = batch["labels"].double()
    parts = micro_batches(batch, number, HuggingFaceDenominator(model))
    outside = kind == "answers, one outside of the text"
    assert len(parts) == min(number, 2 if outside else 3)
    whole = model_loss(model, batch)
    assert sum(share * model_loss(model, part) for part, share in parts).item() == pytest.approx(whole.item(), rel=2e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_so_do_those_of_a_trainers_loss(smoothing: float, tmp_path: Path) -> None:
    model = LlamaForCausalLM(LlamaConfig(**SIZES))
    rows = [{"input_ids": ids, "labels": labels} for ids, labels in zip(IDS, LABELS, strict=True)]
    arguments = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True, label_smoothing_factor=smoothing)
    given = problem_from_trainer(Trainer(model, arguments, train_dataset=rows))
    assert given.loss_denominator
    batch = {"input_ids": IDS, "labels": LABELS}
    parts = micro_batches(batch, 3, given.loss_denominator)
    assert [share for _, share in parts] == [1 / 9, 5 / 9, 3 / 9]  # 1, 5 and 3 tokens are predicted
    whole = given.loss(model, batch)
    assert sum(share * given.loss(model, part) for part, share in parts).item() == pytest.approx(whole.item(), rel=2e-6)


def test_a_trainers_own_loss_has_no_known_denominator(tmp_path: Path) -> None:
    class Own(Trainer):
        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
            return model(**inputs).loss

    rows = [{"input_ids": ids, "labels": labels} for ids, labels in zip(IDS, LABELS, strict=True)]
    arguments = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True)
    trainer = Own(LlamaForCausalLM(LlamaConfig(**SIZES)), arguments, train_dataset=rows)
    assert problem_from_trainer(trainer).loss_denominator is None


def test_finding_the_denominator_changes_neither_the_model_nor_a_random_state() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=16, n_layer=1, n_head=2)).train()
    model.transformer.h[0].eval()
    modes = [module.training for module in model.modules()]
    before = torch.random.get_rng_state()
    assert HuggingFaceDenominator(model)({"input_ids": IDS, "labels": LABELS}) == 9  # 1, 5 and 3 tokens are predicted
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert all(weight.grad is None for weight in model.parameters())


def test_a_loss_that_is_no_mean_over_labels_is_refused_by_name() -> None:
    model = nn.Linear(1, 1)
    model.loss_type = "ForObjectDetection"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="ForObjectDetection of Linear"):
        denominator_of(model, model_loss, None, runtime=Runtime(), number=2)
    denominator_of(model, model_loss, None, runtime=Runtime(), number=1)


def test_what_cannot_be_cut_by_examples_is_refused_by_name() -> None:
    batch = {"labels": torch.tensor([0, 1]), "pixel_values": torch.zeros(5, 3)}
    with pytest.raises(ValueError, match="'pixel_values' must have a row for each of the 2 examples; it has 5"):
        micro_batches(batch, 2, counted_labels)


def test_a_loss_of_ones_own_says_what_it_is_the_mean_over() -> None:
    def build() -> nn.Module:
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**SIZES)).double()

    def loss(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        weight = (batch["labels"] != -100).double()
        logits = model(input_ids=batch["input_ids"]).logits
        each = nn.functional.cross_entropy(logits.flatten(0, 1), batch["input_ids"].flatten(), reduction="none")
        return (each * weight.flatten()).sum() / weight.sum()

    examples = [{"input_ids": ids.tolist(), "labels": labels.tolist()} for ids, labels in zip(IDS, LABELS, strict=True)]

    def problem(**options: Any) -> Problem:
        return Problem(
            build_model=build,
            train=examples,
            collate=lambda rows: {name: torch.tensor([row[name] for row in rows]) for name in rows[0]},
            loss=loss,
            head=(),
            **options,
        )

    def trained(parts: int, **options: Any) -> nn.Module:
        model = build()
        train(model, problem(**options), TrainingConfig(lr=1e-2, steps=1, batch_size=3, micro_batches=parts))
        return model

    def denominator(batch: Mapping[str, Tensor]) -> float:
        return float((batch["labels"] != -100).sum())

    one, three = trained(1), trained(3, loss_denominator=denominator)
    for first, second in zip(one.parameters(), three.parameters(), strict=True):
        assert torch.allclose(first, second, atol=1e-10)
    with pytest.raises(ValueError, match="loss_denominator"):
        trained(3)
