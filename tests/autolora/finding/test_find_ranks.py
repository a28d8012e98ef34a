"""`find_ranks` takes a `peft.LoraConfig` and returns one that PEFT trains, saves and loads."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from autolora import (
    AutoLoraBudget,
    Budget,
    FoundRanks,
    SearchConfig,
    TrainingConfig,
    find_ranks,
    find_ranks_for,
    search,
)
from tests.support import tiny

TRAIN = tiny.examples(32)
ALL_LINEAR = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")


def arguments(**changes: Any) -> TrainingArguments:
    options = {
        "disable_tqdm": False,
        "max_steps": 4,
        "learning_rate": 1e-2,
        "per_device_train_batch_size": 8,
        "use_cpu": True,
    }
    return TrainingArguments(**{"output_dir": "unused", "report_to": "none", "save_strategy": "no"} | options | changes)


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, num_attention_heads=2, num_key_value_heads=1, **sizes))


def of_llama(config: LoraConfig = ALL_LINEAR, **options: Any) -> FoundRanks:
    return find_ranks(llama, TRAIN, lora_config=config, data_collator=tiny.texts, args=arguments(), **options)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a Trainer makes its output folder


def test_the_papers_setting_gives_the_ranks_and_variables_of_search_to_the_bit() -> None:
    training = TrainingConfig(lr=1e-2, steps=4, batch_size=8, warmup=0, weight_decay=0)
    problem = tiny.problem(train=TRAIN, strata=[example["labels"] for example in TRAIN], seed=42)
    theirs = search(problem, SearchConfig(max_rank=8, lora_alpha=16, training=training))
    ours = find_ranks(
        tiny.build,
        TRAIN,
        lora_config=LoraConfig(r=8, lora_alpha=16, task_type="SEQ_CLS"),
        data_collator=tiny.collate,
        args=arguments(),
    )
    assert ours.selection == theirs.selection
    assert ours.ranks == theirs.ranks
    assert ours.lora_config.rank_pattern == theirs.allocation.to_lora_config().rank_pattern


def test_the_result_is_the_users_configuration_with_ranks_and_the_new_head() -> None:
    asked = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=0.1, bias="lora_only", task_type="SEQ_CLS", init_lora_weights="olora"
    )
    found = find_ranks(tiny.build, TRAIN, lora_config=asked, data_collator=tiny.collate, args=arguments())
    config = found.lora_config
    kept = ("lora_alpha", "lora_dropout", "bias", "task_type", "init_lora_weights")
    assert [getattr(config, name) for name in kept] == [getattr(asked, name) for name in kept]
    assert config.modules_to_save == ["classifier"]
    assert config.r == max(found.ranks.values())
    assert asked.rank_pattern == {}
    adapted = get_peft_model(tiny.build(), config)
    ranks = {
        name: module.r["default"]
        for name, module in adapted.base_model.model.named_modules()
        if hasattr(module, "lora_A")
    }
    assert ranks == found.ranks


def test_layers_are_selected_as_peft_selects_them() -> None:
    names = ["q_proj", "k_proj", "up_proj", "down_proj"]
    config = replace(ALL_LINEAR, target_modules=names, exclude_modules=["k_proj"], layers_to_transform=[1])
    adapted = get_peft_model(llama(), config).base_model.model
    theirs = {name for name, module in adapted.named_modules() if hasattr(module, "lora_A")}
    assert len(theirs) == 3
    assert {*of_llama(config).ranks} == theirs


@pytest.mark.parametrize("settings", [None, SearchConfig()])
def test_within_a_budget_of_parameters_layers_can_lose_their_update(settings: SearchConfig | None) -> None:
    found = of_llama(budget=Budget(parameters=200), settings=settings)
    assert 0 < found.parameters <= 200
    assert 0 in found.ranks.values()
    assert all(0 <= rank <= 4 for rank in found.ranks.values())
    adapted = get_peft_model(llama(), found.lora_config)
    trained = sum(weight.numel() for name, weight in adapted.named_parameters() if "lora_" in name)
    assert trained == found.parameters


@pytest.mark.parametrize("settings", [AutoLoraBudget(rounds=2), SearchConfig()])
def test_a_mean_rank_is_met(settings: Any) -> None:
    ranks = of_llama(budget=Budget(mean_rank=2.5), settings=settings).ranks
    assert sum(ranks.values()) == round(2.5 * len(ranks))


def test_a_budget_is_allocated_by_what_components_contribute_to_the_loss_on_eval_dataset() -> None:
    found = of_llama(budget=Budget(mean_rank=2), eval_dataset=TRAIN[:8])
    assert found.search.config["max_rank"] == ALL_LINEAR.r
    assert [record["step"] for record in found.history] == [1, 1, 2, 2, 2, 3, 3, 3]  # eight rounds within four steps
    assert sum(found.history[-1]["ranks"].values()) == 2 * len(found.ranks)
    assert found.history[-1]["ranks"] == found.ranks
    assert found.selection != of_llama(budget=Budget(mean_rank=2), eval_dataset=TRAIN[8:16]).selection


@pytest.mark.parametrize("use_rslora", [False, True])
def test_constant_scaling_is_alike_in_all_layers(use_rslora: bool) -> None:  # noqa: FBT001
    found = of_llama(replace(ALL_LINEAR, use_rslora=use_rslora), scaling="constant")
    adapted = get_peft_model(llama(), found.lora_config)
    scalings = {module.scaling["default"] for module in adapted.modules() if hasattr(module, "lora_A")}
    kept = [rank for rank in found.ranks.values() if rank]
    mean = sum(kept) / len(kept)
    assert [*scalings] == [pytest.approx(8 / (math.sqrt(mean) if use_rslora else mean))] * len(scalings)


def test_a_trainers_model_data_and_arguments_are_used_and_left_as_they_are() -> None:
    model = tiny.build()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    trainer = Trainer(
        model, arguments(num_train_epochs=2, max_steps=-1), train_dataset=TRAIN, data_collator=tiny.collate
    )
    config = LoraConfig(r=4, modules_to_save=["classifier"], task_type="SEQ_CLS")
    found = find_ranks_for(trainer, lora_config=config)
    assert found.cost["steps"] == 2 * 2  # two epochs of half of 32 examples, in batches of 8
    assert find_ranks_for(trainer, lora_config=config, eval_dataset=TRAIN[:8]).cost["steps"] == 2 * 4
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_the_steps_of_the_search_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    of_llama()
    assert "4/4" in capsys.readouterr().err


def test_accumulated_gradients_and_checkpointing_find_the_same_ranks() -> None:
    whole = of_llama()
    parts = find_ranks(
        llama,
        TRAIN,
        lora_config=ALL_LINEAR,
        data_collator=tiny.texts,
        args=arguments(per_device_train_batch_size=2, gradient_accumulation_steps=4, gradient_checkpointing=True),
    )
    assert parts.ranks == whole.ranks
    for name, values in whole.selection.items():
        assert parts.selection[name] == pytest.approx(values, rel=1e-5)


def test_ranks_of_a_split_projection_are_loaded_as_they_were_saved(tmp_path: Path) -> None:
    config = LoraConfig(r=4, task_type="CAUSAL_LM", fan_in_fan_out=True)
    found = find_ranks(tiny.decoder, TRAIN, lora_config=config, data_collator=tiny.texts, args=arguments())
    found.save(tmp_path / "found")
    assert FoundRanks.load(tmp_path / "found").ranks == found.ranks
    assert {name.rpartition(".")[2] for name in found.ranks} == {"query", "value"}
    assert found.lora_config.r == max(
        found.ranks[f"transformer.h.{block}.attn.c_attn.query"]
        + found.ranks[f"transformer.h.{block}.attn.c_attn.value"]
        for block in range(2)
    )


def test_ranks_are_saved_for_people_and_for_peft(tmp_path: Path) -> None:
    found = of_llama(budget=Budget(mean_rank=1))
    found.save(tmp_path / "found")
    again = FoundRanks.load(tmp_path / "found")
    assert again.ranks == found.ranks
    assert again.selection == found.selection
    assert again.lora_config.to_dict() == found.lora_config.to_dict()
    adapted = get_peft_model(llama(), LoraConfig.from_pretrained(tmp_path / "found"))
    adapted.save_pretrained(tmp_path / "adapter")
    assert PeftModel.from_pretrained(llama(), tmp_path / "adapter").peft_config["default"].r == found.lora_config.r


def test_the_summary_has_a_row_per_block_and_a_column_per_kind_of_layer() -> None:
    found = of_llama()
    head, first, second, _, totals = found.summary().splitlines()
    assert head.split()[1:3] == ["self_attn.q_proj", "self_attn.k_proj"]
    ranks = [str(rank) for name, rank in found.ranks.items() if name.startswith("model.layers.0")]
    assert [part for part in first.split() if part.isdigit()] == ranks
    assert second.startswith("model.layers.1")
    assert f"{found.parameters:,} parameters" in totals
    assert found._repr_html_().count("<td") == len(found.ranks)
