"""Allocators that go through PEFT find the ranks that PEFT finds without them."""

import random
from typing import Any

import torch
from peft import AdaLoraConfig, EvaConfig, LoraConfig, get_peft_model, initialize_lora_eva_weights
from torch import nn

from autolora.adapters.budget import Budget
from autolora.problem import Problem
from autolora.training.batch_order import batch_order
from autolora.training.config import TrainingConfig
from baselines.allocators.adalora import AdaLoraRanks
from baselines.allocators.eva import Eva
from benchmarks.measure.allocation.students import student
from tests.support import tiny

STEPS = 40
TRAINING = TrainingConfig(lr=2e-2, steps=STEPS, batch_size=8, warmup=0.0, schedule="constant", weight_decay=0.0)


def build() -> nn.Module:
    return tiny.build(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def rows() -> list[dict[str, Any]]:
    """Random tokens of the random Llama's vocabulary, of several lengths."""
    rng = random.Random(0)
    return [
        {"input_ids": [rng.randrange(5, 256) for _ in range(rng.randrange(6, 11))], "labels": 0} for _ in range(256)
    ]


def without_labels(model: Any, batch: Any) -> torch.Tensor:
    found: torch.Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0].mean()
    return found


def batches(problem: Problem, batch_size: int, stream: str, number: int) -> list[dict[str, Any]]:
    order = batch_order(problem.train, batch_size, seed=problem.seed, stream=stream)
    return [tiny.collate([problem.train[index] for index in order.batch(step)]) for step in range(number)]


def test_evas_ranks_are_those_of_pefts_own_initialisation_with_its_default_functions() -> None:
    """PEFT's defaults leave padding out by the attention mask, which `Eva` does by a function of its own."""
    llama = student("llama")
    problem = tiny.problem(build_model=llama, loss=without_labels, head=(), train=rows())
    config = LoraConfig(
        r=2, target_modules=["q_proj", "v_proj"], init_lora_weights="eva",
        eva_config=EvaConfig(rho=2.0, use_label_mask=False),
    )  # fmt: skip
    model = get_peft_model(llama(), config, low_cpu_mem_usage=True)
    initialize_lora_eva_weights(
        model, batches(problem, 16, "allocation", 16), forward_fn=without_labels, show_progress_bar=False
    )
    pattern = model.peft_config["default"].rank_pattern
    found = Eva(rho=2.0, batch_size=16).allocate(problem, Budget(mean_rank=2)).by_name()
    kept = model.peft_config["default"].target_modules
    assert {name: pattern.get(name, 2) if name in kept else 0 for name in found} == found
    assert len(set(found.values())) > 1


def test_adaloras_ranks_are_those_of_a_plain_peft_loop() -> None:
    problem = tiny.problem(build_model=build)
    config = AdaLoraConfig(
        init_r=6, target_r=4, lora_alpha=16, tinit=STEPS // 10, tfinal=3 * STEPS // 10, deltaT=1, total_step=STEPS,
        target_modules=["query", "value"], modules_to_save=["classifier"],
    )  # fmt: skip
    torch.manual_seed(0)
    model = get_peft_model(build(), config)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=TRAINING.lr, weight_decay=0.0)
    model.train()
    for step, batch in enumerate(batches(problem, 8, "train", STEPS), 1):
        model.base_model(**batch).loss.backward()  # with the orthogonality penalty, which `model` leaves out
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
    pattern = model.peft_config["default"].rank_pattern
    plain = {name.removeprefix("base_model.model.").split(".lora_E")[0]: sum(kept) for name, kept in pattern.items()}
    found = AdaLoraRanks(training=TRAINING).allocate(problem, Budget(mean_rank=4)).by_name()
    assert plain == found
    assert len(set(found.values())) > 1
