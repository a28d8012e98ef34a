"""Examples without labels (answers in a text) or without token ids (images, audio) can be trained and searched on."""

from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering, ViTConfig, ViTForImageClassification

from autolora.problem import Batch, Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.batch_order import batch_order, length_of
from autolora.training.config import TrainingConfig

SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def stacked(examples: Any) -> Batch:
    return {name: torch.as_tensor([example[name] for example in examples]) for name in examples[0]}


def answers() -> Problem:
    rows = [
        {"input_ids": [3 + index % 9, 4, 5, 6], "start_positions": index % 4, "end_positions": 3} for index in range(16)
    ]

    def build() -> BertForQuestionAnswering:
        torch.manual_seed(0)
        return BertForQuestionAnswering(BertConfig(vocab_size=64, **SIZES))

    return Problem(build_model=build, train=rows, collate=stacked, head=("qa_outputs",))


def images() -> Problem:
    drawn = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)).tolist()
    rows = [{"pixel_values": image, "labels": index % 2} for index, image in enumerate(drawn)]

    def build() -> ViTForImageClassification:
        torch.manual_seed(0)
        return ViTForImageClassification(ViTConfig(image_size=8, patch_size=4, **SIZES))

    return Problem(build_model=build, train=rows, collate=stacked)


@pytest.mark.parametrize("kind", [answers, images])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_search_needs_neither_labels_nor_token_ids(kind: Any, parts: int) -> None:
    training = TrainingConfig(lr=1e-2, steps=2, batch_size=4, micro_batches=parts)
    assert len(search(kind(), SearchConfig(training=training)).ranks) == 2


@pytest.mark.parametrize(
    ("example", "length"),
    [
        ({"labels": [1, 2, 3, 4], "input_ids": [5, 6]}, 2),
        ({"labels": [1, 2, 3], "input_values": torch.zeros(7)}, 7),  # audio
        ({"text": "a text", "labels": 1, "input_values": [0.0] * 5}, 5),
        ({"labels": [1, 2, 3]}, 1),
        ({"text": "a text", "pixel_values": torch.zeros(()), "labels": 3}, 1),
    ],
)
def test_the_length_is_that_of_the_token_ids_or_else_of_another_sequence(example: Example, length: int) -> None:
    assert length_of(example) == length


def test_audio_is_batched_by_its_length() -> None:
    examples = [{"input_values": torch.zeros(1 + index % 4), "labels": 0} for index in range(16)]
    order = batch_order(examples, 4, seed=0, stream="train")
    assert all(len({len(examples[index]["input_values"]) for index in order.batch(step)}) == 1 for step in range(4))
