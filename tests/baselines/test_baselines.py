from typing import Any

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, RobertaConfig, RobertaModel

from autolora.adapters.fused import split_fused
from autolora.adapters.projections import find_projections
from autolora.training.config import TrainingConfig
from baselines.adalora import AdaLora
from baselines.adapter import Adapter, Bottleneck, insert_bottlenecks
from baselines.full import Full
from baselines.lora import Lora
from baselines.lora_grid import LoraGrid
from tests.support.tiny import build, collate, examples, problem

TRAINING = TrainingConfig(lr=1e-2, steps=20, batch_size=8)


def test_an_adapter_starts_as_the_identity() -> None:
    model, batch = build().eval(), collate(examples(4))
    before = model(**batch).logits
    insert_bottlenecks(model, 3)
    assert sum(isinstance(module, Bottleneck) for module in model.modules()) == 4
    assert torch.equal(model(**batch).logits, before)


def test_an_adapter_of_width_24_has_the_papers_parameters() -> None:
    with torch.device("meta"):
        model = RobertaModel(RobertaConfig())
        insert_bottlenecks(model, 24)
    adapters = [module for module in model.modules() if isinstance(module, Bottleneck)]
    parameters = sum(p.numel() for module in adapters for part in (module.down, module.up) for p in part.parameters())
    assert parameters == 903_744  # Table 1: 0.9M


def gpt2_medium() -> nn.Module:
    config = GPT2Config(n_embd=1024, n_layer=24, n_head=16)
    with torch.device("meta"):
        return GPT2LMHeadModel(config)


def test_an_adapter_of_width_112_has_the_papers_parameters_of_gpt2_medium() -> None:
    model = gpt2_medium()
    assert sum(p.numel() for p in model.parameters()) == 354_823_168  # Table 2: 354.9M
    with torch.device("meta"):
        insert_bottlenecks(model, 112)
    adapters = [module for module in model.modules() if isinstance(module, Bottleneck)]
    parameters = sum(p.numel() for module in adapters for part in (module.down, module.up) for p in part.parameters())
    assert (len(adapters), parameters) == (48, 11_064_576)  # Table 2: 11.1M


def test_lora_on_gpt2_medium_has_a_query_and_a_value_in_each_of_24_blocks() -> None:
    model = gpt2_medium()
    split_fused(model)
    projections = find_projections(model)
    assert len(projections) == 48
    assert sum(projection.lora_parameters(4) for projection in projections) == 393_216  # Table 2 has 0.3M


def test_an_adapter_trains_its_bottlenecks_and_the_head_only() -> None:
    outcome = Adapter(width=3, training=TRAINING).train(problem())
    trained = [name for name, weight in outcome.model.named_parameters() if weight.requires_grad]
    assert all(".down." in name or ".up." in name or "classifier" in name for name in trained)
    assert outcome.trainable_parameters == 4 * (2 * 16 * 3 + 3 + 16)
    assert outcome.head_parameters == 16 * 2 + 2


@pytest.mark.parametrize("method", [Adapter, AdaLora, Lora, LoraGrid])
def test_two_seeds_have_other_initial_values_even_where_the_builder_seeds_torch(method: Any) -> None:
    training = TrainingConfig(lr=1e-30, steps=3, batch_size=8, weight_decay=0.0)

    def seeding() -> nn.Module:
        torch.manual_seed(0)
        return build()

    first, second = (method(training=training).train(problem(build_model=seeding, seed=seed)).model for seed in (0, 1))
    pairs = zip(first.named_parameters(), second.named_parameters(), strict=True)
    drawn = [
        (name, torch.equal(one, other))
        for (name, one), (_, other) in pairs
        if "lora_A" in name or "down.weight" in name
    ]
    assert drawn
    assert not [name for name, same in drawn if same]


def test_full_fine_tuning_trains_everything() -> None:
    outcome = Full(training=TRAINING).train(problem())
    assert outcome.trainable_parameters + outcome.head_parameters == sum(p.numel() for p in build().parameters())


def test_lora_has_the_same_rank_everywhere() -> None:
    outcome = Lora(rank=2, training=TRAINING).train(problem())
    assert list((outcome.ranks or {}).values()) == [2, 2, 2, 2]
    assert outcome.trainable_parameters == 4 * 2 * (16 + 16)


def adalora(**changes: object) -> AdaLora:
    return AdaLora(**{"initial_rank": 4, "target_rank": 2, "training": TRAINING, **changes})  # type: ignore[arg-type]


def test_adalora_prunes_to_its_budget() -> None:
    outcome = adalora().train(problem())
    assert sum((outcome.ranks or {}).values()) == 4 * 2
    assert outcome.trainable_parameters == 4 * 2 * (16 + 16 + 1)


def test_pruned_components_take_no_part_in_the_model() -> None:
    outcome = adalora().train(problem())
    kept = {name: int((weight != 0).sum()) for name, weight in outcome.model.named_parameters() if "lora_E" in name}
    assert sum(kept.values()) == sum((outcome.ranks or {}).values())


def test_adaloras_orthogonality_penalty_is_in_the_training_loss_and_not_in_the_evaluation_loss() -> None:
    seen: dict[str, float] = {}

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        outputs = model(**batch)
        plain = torch.nn.functional.cross_entropy(outputs.logits, batch["labels"])
        seen["penalty"] = float((outputs.loss - plain).detach())
        return outputs.loss

    model = adalora().train(problem(loss=loss)).model.eval()
    assert seen["penalty"] > 1e-3
    batch = collate(examples(6))
    outputs = model(**batch)
    assert torch.equal(outputs.loss, torch.nn.functional.cross_entropy(outputs.logits, batch["labels"]))


def test_adaloras_orthogonality_penalty_is_the_mean_distance_of_the_gram_matrices_from_identity() -> None:
    seen: list[tuple[float, float]] = []

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        outputs = model(**batch)
        plain = torch.nn.functional.cross_entropy(outputs.logits, batch["labels"])
        grams = [
            p @ p.T if "lora_A" in name else p.T @ p
            for name, p in model.named_parameters()
            if "lora_E" not in name and "lora_" in name
        ]
        distance = torch.stack([(gram - torch.eye(len(gram))).norm() for gram in grams]).mean()
        seen.append((float((outputs.loss - plain).detach()), float(0.25 * distance.detach())))
        return outputs.loss

    adalora(orthogonality=0.25).train(problem(loss=loss))
    assert len(seen) == 20
    assert [penalty for penalty, _ in seen] == pytest.approx([expected for _, expected in seen], rel=1e-4)


def test_the_importance_averages_are_kept_in_checkpoints() -> None:
    # PEFT leaves them out of state_dict; without them, a resumed run would prune other components.
    model = adalora().train(problem()).model
    assert not any("ipt" in name for name in model.state_dict())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target_rank": 4}, "target_rank"),
        ({"target_rank": 0}, "target_rank"),
        ({"warmup_share": 0.8, "final_share": 0.2}, "less than 1"),
    ],
)
def test_adalora_refuses_a_budget_that_cannot_be_reached(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adalora(**fields)


def test_an_adapter_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width"):
        Adapter(width=0)
