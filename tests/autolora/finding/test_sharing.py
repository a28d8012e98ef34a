"""A search shares the frozen weights of its Trainer's model, and leaves them as they are."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import nn
from transformers import Trainer

from autolora import SearchConfig, find_ranks, find_ranks_for, problem_from_trainer, search
from autolora.finding.sharing import sharing_copy
from autolora.trainer import training_config_of
from tests.autolora.finding.test_find_ranks import TRAIN, arguments, llama
from tests.support import tiny

CONFIG = LoraConfig(r=4, lora_alpha=8, task_type="SEQ_CLS", modules_to_save=["classifier"])


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a Trainer makes its output folder


def storages(model: nn.Module) -> dict[str, int]:
    return {name: weight.data_ptr() for name, weight in model.named_parameters()}


def trainer_of(model: nn.Module, collate: Any = tiny.collate) -> Trainer:
    return Trainer(model, arguments(), train_dataset=TRAIN, data_collator=collate)  # type: ignore[arg-type]


def test_only_what_is_trained_has_memory_of_its_own() -> None:
    model = tiny.build()
    copied = storages(sharing_copy(model, ["classifier"]))
    own = {name for name, place in storages(model).items() if copied[name] != place}
    assert own == {"classifier.weight", "classifier.bias"}


def test_tied_weights_stay_tied() -> None:
    model = llama()
    model.lm_head.weight = model.model.embed_tokens.weight
    for head in ((), ("embed_tokens",)):
        copied: Any = sharing_copy(model, head)
        assert copied.lm_head.weight is copied.model.embed_tokens.weight
        assert (copied.lm_head.weight.data_ptr() == model.lm_head.weight.data_ptr()) is not bool(head)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("trainable", ["updates", "all"])
def test_the_models_weights_types_and_flags_are_left_as_they_are(dtype: torch.dtype, trainable: Any) -> None:
    model = tiny.build(dtype=dtype)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    find_ranks_for(trainer_of(model), lora_config=CONFIG, settings=SearchConfig(trainable=trainable))
    for name, weight in model.named_parameters():
        assert weight.dtype == dtype
        assert weight.requires_grad
        assert torch.equal(weight, before[name])


def test_a_split_projection_leaves_the_fused_one_as_it_is() -> None:
    model = tiny.decoder()
    before = storages(model)
    find_ranks_for(trainer_of(model, tiny.texts), lora_config=LoraConfig(r=4, task_type="CAUSAL_LM"))
    assert storages(model) == before


def test_shared_weights_give_the_variables_of_a_search_over_a_whole_copy_to_the_bit() -> None:
    trainer = trainer_of(tiny.build())
    settings = SearchConfig(max_rank=4, lora_alpha=8, training=training_config_of(trainer))
    whole = search(problem_from_trainer(trainer, head=("classifier",)), settings)
    assert find_ranks_for(trainer, lora_config=CONFIG).selection == whole.selection


def test_a_head_that_model_init_draws_without_a_seed_is_that_of_the_arguments_seed() -> None:
    def drawn(seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)  # of the caller, which does not count
        found = find_ranks(
            unseeded, TRAIN, lora_config=replace(CONFIG), data_collator=tiny.collate, args=arguments(seed=3)
        )
        return dict(found.selection)

    unseeded = partial(tiny.MODELS["bert"], num_labels=2)
    assert drawn(1) == drawn(2)
    in_trainer = Trainer(model_init=unseeded, args=arguments(seed=3), train_dataset=TRAIN, data_collator=tiny.collate)
    assert find_ranks_for(in_trainer, lora_config=CONFIG).selection == drawn(1)
    assert search(
        problem_from_trainer(in_trainer, head=("classifier",)),
        SearchConfig(max_rank=4, lora_alpha=8, training=training_config_of(in_trainer)),
    ).selection == drawn(1)
