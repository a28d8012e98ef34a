"""What a search cannot do is refused with a message that says what to do instead."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.utils.data import IterableDataset

from autolora import AutoLoraBudget, Budget, SearchConfig, find_ranks
from tests.autolora.finding.test_find_ranks import TRAIN, arguments, llama
from tests.support import tiny


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return cycle(TRAIN)


def labelled(*labels: int) -> list[Any]:
    return [{**example, "labels": label} for example, label in zip(TRAIN, cycle(labels), strict=False)]


class Int8Params(nn.Parameter):
    """Stands for the class of bitsandbytes, which need not be installed."""


Int8Params.__module__ = "bitsandbytes.nn.modules"


def quantised() -> nn.Module:
    model = tiny.build()
    query: Any = model.get_submodule("bert.encoder.layer.0.attention.self.query")
    query.weight = Int8Params(query.weight.to(torch.int8), requires_grad=False)
    model.is_quantized = True  # type: ignore[assignment]
    return model


def adapted() -> nn.Module:
    return get_peft_model(tiny.build(), LoraConfig(target_modules=["query"]))  # type: ignore[arg-type]


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no layer": ({"target_modules": ["quary"]}, r"no linear layer named 'quary'; the nearest are query"),
    "embeddings": ({"target_modules": ["word_embeddings"]}, r"selects .*word_embeddings, a module of type Embedding"),
    "a rank beyond the layer": ({"r": 99}, r"max_rank .*99|99 .*max_rank|at most 16"),
    "DoRA": ({"use_dora": True}, r"use_dora = True is not supported: .*leave it out"),
    "given ranks": ({"rank_pattern": {"query": 2}}, r"rank_pattern = .* the ranks are what is searched"),
    "nothing left": ({"target_modules": ["query"], "exclude_modules": ["query"]}, r"leave none of the 2 layers"),
    "a small budget": ({"budget": Budget(parameters=3)}, r"a budget of 3 parameters cannot be met: one component takes 32"),
    "a large budget": ({"budget": Budget(mean_rank=9)}, r"a budget of 36 ranks cannot be met: .*all components .* 32"),
    "no budget": ({"settings": AutoLoraBudget()}, r"allocates a budget: give one, such as budget=Budget"),
    "no length": ({"train_dataset": Endless(), "args": {"max_steps": -1, "num_train_epochs": 1}}, r"max_steps"),
    "an empty D_val": ({"eval_dataset": []}, r"D_val is empty: .*give it examples"),
    "a D_val of one class": ({"eval_dataset": labelled(1)}, r"all 32 examples of eval_dataset have label 1"),
    "unlabelled examples": ({"train_dataset": labelled(0, 1, -1)}, r"0 or more; got -1, .*leave them out"),
    "no label that counts": ({"train_dataset": labelled(-100)}, r"labels of all 32 examples are -100"),
    "an adapted model": ({"model_init": adapted}, r"PEFT"),
    "a wrapped model": ({"model_init": lambda: nn.DataParallel(tiny.build())}, r"wrapped in DataParallel.*pass model.module"),
    "a quantised model": ({"model_init": quantised}, r"engine = 'exact'.*set engine = 'finite-difference' or"),
    "all weights of a quantised model": (
        {"model_init": quantised, "settings": SearchConfig(engine="first-order", trainable="all")},
        r"trainable = 'all': set .*trainable = 'updates'",
    ),
    "half precision": ({"args": {"fp16": True}}, r"bf16=True"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_message_says_what_to_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given, message = CASES[name]
    options = {"model_init": tiny.build, "train_dataset": TRAIN, "data_collator": tiny.collate} | given
    config = {
        key: options.pop(key) for key in given if hasattr(LoraConfig, key) or key in LoraConfig.__dataclass_fields__
    }
    options["args"] = arguments(**options.get("args", {}))
    with pytest.raises(ValueError, match=message):
        find_ranks(lora_config=LoraConfig(task_type="SEQ_CLS", **config), **options)


def test_a_budget_is_a_mean_rank_or_a_number_of_parameters() -> None:
    for wrong in ({}, {"mean_rank": 2, "parameters": 9}, {"mean_rank": 0}, {"parameters": -1}):
        with pytest.raises(ValueError, match="either mean_rank or parameters"):
            Budget(**wrong)


def test_a_tied_output_layer_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="lm_head, which is tied to"):
        find_ranks(
            _tied,
            TRAIN,
            lora_config=LoraConfig(target_modules=["lm_head"], task_type="CAUSAL_LM"),
            data_collator=tiny.texts,
            settings=SearchConfig(),
        )


def _tied() -> nn.Module:
    model = llama()
    model.config.tie_word_embeddings = True
    model.lm_head.weight = model.model.embed_tokens.weight
    return model
