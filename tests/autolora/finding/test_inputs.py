"""Kinds of inputs and labels: a search takes the loss that the model computes from them, and PEFT trains with its ranks."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from peft import LoraConfig, get_peft_model
from torch import nn

from autolora import SearchConfig, find_ranks
from tests.autolora.finding.test_find_ranks import arguments

STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip
BERT = SIZES | STILL
T5 = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0,
      "decoder_start_token_id": 0}  # fmt: skip
SOUND = SIZES | {
    "conv_dim": [8, 8], "conv_stride": [4, 4], "conv_kernel": [8, 4], "num_feat_extract_layers": 2, "layerdrop": 0.0,
    "hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "feat_proj_dropout": 0.0,
    "final_dropout": 0.0, "mask_time_prob": 0.0, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
}  # fmt: skip

KINDS: dict[str, tuple[str, str, dict[str, Any], tuple[str, ...]]] = {
    "classes": ("BertForSequenceClassification", "BertConfig", BERT, ("classifier",)),
    "answers": ("BertForQuestionAnswering", "BertConfig", BERT, ("qa_outputs",)),
    "tokens": ("BertForTokenClassification", "BertConfig", BERT | {"num_labels": 3}, ("classifier",)),
    "a number": ("BertForSequenceClassification", "BertConfig", BERT | {"num_labels": 1}, ("classifier",)),
    "several labels": ("BertForSequenceClassification", "BertConfig", BERT | {
        "num_labels": 3, "problem_type": "multi_label_classification",
    }, ("classifier",)),
    "the next token": ("LlamaForCausalLM", "LlamaConfig", SIZES, ()),
    "a sequence": ("T5ForConditionalGeneration", "T5Config", T5, ()),
    "choices": ("BertForMultipleChoice", "BertConfig", BERT, ("classifier",)),
    "an image": ("ViTForImageClassification", "ViTConfig", SIZES | {"image_size": 8, "patch_size": 4}, ("classifier",)),
    "sound": ("Wav2Vec2ForSequenceClassification", "Wav2Vec2Config", SOUND, ("projector", "classifier")),
}  # fmt: skip
"""Kind -> class, its configuration, sizes, and the modules of the new head."""
FAST = ("answers", "tokens", "a number", "several labels", "an image")


def rows(kind: str) -> list[dict[str, Any]]:
    """Eight examples."""
    drawn = torch.Generator().manual_seed(0)
    return [_row(kind, index, drawn) for index in range(8)]


def _row(kind: str, index: int, drawn: torch.Generator) -> dict[str, Any]:
    ids = torch.randint(2, 64, (6,), generator=drawn).tolist()
    numbers = torch.rand(3, generator=drawn).tolist()
    if kind == "an image":
        return {"pixel_values": torch.rand(3, 8, 8, generator=drawn), "labels": index % 2}
    if kind == "sound":
        return {"input_values": torch.rand(160, generator=drawn), "labels": index % 2}
    labels: dict[str, dict[str, Any]] = {
        "classes": {"labels": index % 2},
        "answers": {"start_positions": index % 3, "end_positions": 2 + index % 4},
        "tokens": {"labels": [-100, *(number % 3 for number in ids[1:])]},
        "a number": {"labels": numbers[0]},
        "several labels": {"labels": [float(number > 0.5) for number in numbers]},
        "the next token": {"labels": ids},
        "a sequence": {"labels": ids[:4]},
        "choices": {"input_ids": [ids, ids[::-1]], "labels": index % 2},
    }
    return {"input_ids": ids, **labels[kind]}


@pytest.mark.parametrize(
    "kind", [kind if kind in FAST else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_the_loss_of_a_search_is_the_models_own_and_its_ranks_are_trained(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, config, sizes, head = KINDS[kind]

    def build() -> nn.Module:
        torch.manual_seed(0)
        model: nn.Module = getattr(tf, name)(getattr(tf, config)(**sizes))
        return model

    train = rows(kind)
    found = find_ranks(
        build,
        train,
        eval_dataset=train,
        lora_config=LoraConfig(r=4, lora_alpha=8),
        args=arguments(max_steps=2),
        settings=SearchConfig(record_every=1),
    )
    batch = tf.default_data_collator(train)
    first = build().train()(**batch).loss
    assert found.history[0]["train_loss"] == pytest.approx(float(first.detach()), rel=1e-4)  # updates are zero at first
    assert tuple(found.lora_config.modules_to_save or ()) == head
    adapted = get_peft_model(build(), found.lora_config).train()  # type: ignore[arg-type]
    loss = adapted(**batch).loss
    assert float(loss.detach()) == pytest.approx(float(first.detach()), rel=1e-4)
    loss.backward()
    trained = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in trained)
