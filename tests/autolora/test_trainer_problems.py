"""Whatever `Trainer.train()` takes, `problem_from_trainer` takes."""

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from autolora import SearchConfig, TrainingConfig, problem_from_trainer, search
from autolora.training.micro_batches import counted_labels, micro_batches

CONFIG = SearchConfig(training=TrainingConfig(lr=1e-2, steps=2, batch_size=8))
ROWS = [{"input_ids": [3 + index % 9, 4, 5, 6], "labels": index % 2} for index in range(32)]


def bert() -> BertForSequenceClassification:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    return BertForSequenceClassification(BertConfig(vocab_size=64, num_attention_heads=2, **sizes))


class EndsByKeyError:
    """A data set over a table whose index ends with a KeyError, which no loop over it survives."""

    def __len__(self) -> int:
        return len(ROWS)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index >= len(ROWS):
            raise KeyError(index)
        return ROWS[index]


class NeverEnds(EndsByKeyError):
    """A data set that draws an example for any index."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        return ROWS[index % len(ROWS)]


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[dict[str, Any]]:
        return cycle(ROWS)


class Streamed(IterableDataset[Any]):
    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(ROWS)


class Weighted(nn.Module):
    """A model that takes more than token ids, nested and as texts."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = bert()

    def forward(self, labels: Any = None, inputs: Any = None, text: Any = None) -> Any:
        assert all(isinstance(each, str) for each in text)
        return self.bert(input_ids=inputs["ids"], labels=labels)


def nested(rows: Any) -> dict[str, Any]:
    ids = torch.tensor([row["input_ids"] for row in rows])
    return {"inputs": {"ids": ids}, "labels": torch.tensor([row["labels"] for row in rows]), "text": ["a"] * len(rows)}


def arguments(folder: Path, **options: Any) -> TrainingArguments:
    return TrainingArguments(str(folder), report_to="none", use_cpu=True, **options)


TRAINERS: dict[str, Callable[[Path], Trainer]] = {
    "model_init": lambda folder: Trainer(model_init=bert, args=arguments(folder), train_dataset=ROWS),
    "model_init(trial)": lambda folder: Trainer(
        model_init=lambda trial: bert(),  # noqa: ARG005
        args=arguments(folder),
        train_dataset=ROWS,
    ),
    "tensor labels": lambda folder: Trainer(
        bert(), arguments(folder), train_dataset=[{**row, "labels": torch.tensor(row["labels"])} for row in ROWS]
    ),
    "numpy labels": lambda folder: Trainer(
        bert(), arguments(folder), train_dataset=[{**row, "labels": np.int64(row["labels"])} for row in ROWS]
    ),
    "ends by KeyError": lambda folder: Trainer(bert(), arguments(folder), train_dataset=EndsByKeyError()),
    "never ends": lambda folder: Trainer(bert(), arguments(folder), train_dataset=NeverEnds()),
    "streamed": lambda folder: Trainer(bert(), arguments(folder, max_steps=4), train_dataset=Streamed()),
    "streamed without end": lambda folder: Trainer(bert(), arguments(folder, max_steps=4), train_dataset=Endless()),
    "nested batch": lambda folder: Trainer(
        Weighted(), arguments(folder, remove_unused_columns=False), data_collator=nested, train_dataset=ROWS
    ),
}


@pytest.mark.parametrize("name", TRAINERS)
def test_whatever_trains_can_be_searched(name: str, tmp_path: Path) -> None:
    given = problem_from_trainer(TRAINERS[name](tmp_path))
    assert len(search(given, CONFIG).ranks) == 2
    assert given.strata == [row["labels"] for row in ROWS]
    assert all(row.keys() >= {"input_ids", "labels"} for row in given.train)


def test_parts_of_a_batch_hold_its_texts_and_nested_tensors() -> None:
    batch = nested(ROWS[:4])
    first, second = (part for part, _ in micro_batches(batch, 2, counted_labels))
    assert [part["text"] for part in (first, second)] == [["a", "a"]] * 2
    assert torch.equal(torch.cat([first["inputs"]["ids"], second["inputs"]["ids"]]), batch["inputs"]["ids"])


def test_columns_are_kept_where_the_trainer_keeps_them(tmp_path: Path) -> None:
    rows = [{**row, "text": "a"} for row in ROWS]
    kept = problem_from_trainer(
        Trainer(bert(), arguments(tmp_path, remove_unused_columns=False), train_dataset=rows, data_collator=nested)
    )
    assert "text" in kept.train[0]
    dropped = problem_from_trainer(Trainer(bert(), arguments(tmp_path), train_dataset=rows))
    assert "text" not in dropped.train[0]
