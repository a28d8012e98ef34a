"""Ranks of any linear layers: searched, retrained and given to PEFT exactly as found, on every kind of model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
    ViTForImageClassification,
)

from autolora import Problem, RankSearch, RetrainConfig, Runtime, SearchConfig, TrainingConfig, export, retrain, search
from autolora.problem import Targets
from tests.autolora.adapters.test_targets import gpt2, llama, mixtral, vit
from tests.support import tiny

TRAINING = TrainingConfig(lr=1e-2, steps=2, batch_size=8)
CONFIG = SearchConfig(max_rank=4, selection_lr=0.5, training=TRAINING)
"""So large a rate of the selection variables that ranks differ between layers after two steps."""


def bart() -> BartForConditionalGeneration:
    sizes = {f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers", "attention_heads")}
    widths = {"encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "d_model": 16}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1, "decoder_start_token_id": 1}
    return BartForConditionalGeneration(
        BartConfig(vocab_size=64, max_position_embeddings=40, forced_eos_token_id=1, **sizes, **widths, **ids)
    )


def t5() -> T5ForConditionalGeneration:
    return T5ForConditionalGeneration(
        T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, decoder_start_token_id=0)
    )


def classifier(kind: str) -> Callable[[], nn.Module]:
    return lambda: tiny.build(kind)


MODELS: dict[str, tuple[Callable[[], nn.Module], Targets, int]] = {
    "llama": (llama, "all-linear", 14),
    "gpt2": (gpt2, "all-linear", 8),
    "bert": (classifier("bert"), "all-linear", 13),
    "roberta": (classifier("roberta"), "all-linear", 12),
    "t5": (t5, "all-linear", 32),
    "bart": (bart, "all-linear", 32),
    "vit": (vit, "all-linear", 12),
    "mixtral": (mixtral, ["q_proj", "k_proj", "v_proj", "o_proj"], 8),
    "a single target": (llama, ["o_proj"], 2),
    "a regular expression": (llama, r"model\.layers\.1\.mlp\.(up|down)_proj", 2),
    "parts of fused projections and whole ones": (gpt2, ["c_attn.key", "c_attn.value", "c_fc"], 6),
}


def seeded(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def built() -> nn.Module:
        torch.manual_seed(0)
        return build()

    return built


def problem(build: Callable[[], nn.Module], targets: Targets, **options: Any) -> Problem:
    rows = torch.randint(3, 40, (16, 6), generator=torch.Generator().manual_seed(0)).tolist()
    model, train = build(), [{"input_ids": row, "labels": row} for row in rows]
    if isinstance(model, ViTForImageClassification):
        train = [{"pixel_values": torch.randn(3, 8, 8).tolist(), "labels": row[0] % 2} for row in rows]
    elif hasattr(model, "classifier"):
        train = [{"input_ids": row, "labels": row[0] % 2} for row in rows]
    head = ("classifier",) if hasattr(model, "classifier") else ()

    def collate(examples: Any) -> dict[str, Tensor]:
        return {name: torch.tensor([example[name] for example in examples]) for name in examples[0]}

    given = {"build_model": seeded(build), "train": train, "collate": collate, "head": head, "targets": targets}
    return Problem(**{**given, **options})


def ranks_of(model: nn.Module) -> dict[str, int]:
    return {
        name.removeprefix("base_model.model."): module.r["default"]
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer)
    }


@pytest.mark.parametrize("name", MODELS)
def test_peft_gets_exactly_the_ranks_found_layer_by_layer(name: str) -> None:
    build, targets, number = MODELS[name]
    given = problem(build, targets)
    found = search(given, CONFIG)
    assert len(found.ranks) == number
    model, _ = retrain(given, found.allocation, RetrainConfig(training=TRAINING))
    assert ranks_of(model) == found.ranks
    expected: dict[str, int] = {}
    for layer, rank in found.ranks.items():
        whole = layer.removesuffix(".query").removesuffix(".key").removesuffix(".value")
        module = whole if whole.endswith("c_attn") else layer
        expected[module] = expected.get(module, 0) + rank
    assert ranks_of(get_peft_model(build(), found.allocation.to_lora_config())) == expected  # type: ignore[arg-type]
    exported = export(model.eval())  # type: ignore[arg-type]
    assert ranks_of(exported) == expected


def test_ranks_differ_between_the_layers_of_these_searches() -> None:
    assert len(set(search(problem(llama, "all-linear"), CONFIG).ranks.values())) > 1


def test_an_export_of_whole_and_split_layers_computes_what_was_trained() -> None:
    given = problem(gpt2, ["c_attn.key", "c_attn.value", "c_fc"])
    model, _ = retrain(given, search(given, CONFIG).allocation, RetrainConfig(training=TRAINING))
    batch = torch.tensor([[5, 6, 7, 8]])
    logits = model.eval()(input_ids=batch).logits
    assert torch.allclose(export(model)(input_ids=batch).logits, logits, atol=1e-5)  # type: ignore[arg-type]


def test_a_search_step_by_step_takes_the_same_targets() -> None:
    in_progress = RankSearch(gpt2(), CONFIG, steps=2, head=(), targets="all-linear")
    assert {projection.role for projection in in_progress.result().projections} == {"c_attn", "c_proj", "c_fc"}


def test_a_checkpoint_of_other_targets_is_refused(tmp_path: Path) -> None:
    runtime = Runtime(checkpoints=tmp_path, checkpoint_seconds=0)
    search(problem(llama, "all-linear", runtime=runtime), CONFIG)
    search(problem(llama, "ALL-LINEAR", runtime=replace(runtime, checkpoints=tmp_path / "other")), CONFIG)
    with pytest.raises(ValueError, match=r"targets was all-linear and is \['q_proj'\]"):
        search(problem(llama, ["q_proj"], runtime=runtime), CONFIG)
