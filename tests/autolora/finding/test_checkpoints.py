"""An interrupted search continues from its checkpoint; other searches in the same folder have checkpoints of their own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import nn

from autolora import FoundRanks, SearchConfig, find_ranks
from autolora.training import loop
from tests.autolora.finding.test_find_ranks import TRAIN, arguments
from tests.support import tiny

CONFIG = LoraConfig(r=4, lora_alpha=8, task_type="SEQ_CLS")
CALLS = 8
"""Batches that are collated in four steps of a search, two in each."""


@pytest.fixture(autouse=True)
def _a_checkpoint_per_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop._StageCheckpoint, "is_due", lambda _: True)


class Collator:
    """Counts its calls, and raises KeyboardInterrupt at one of them."""

    def __init__(self, interrupted_at: int = 0) -> None:
        self.calls, self.interrupted_at = 0, interrupted_at

    def __call__(self, batch: list[Any]) -> dict[str, Any]:
        self.calls += 1
        if self.calls == self.interrupted_at:
            raise KeyboardInterrupt
        return dict(tiny.collate(batch))


def found(collate: Collator, seed: int = 0, config: LoraConfig = CONFIG, build: Any = tiny.build) -> FoundRanks:
    args = arguments(seed=seed, save_strategy="steps", output_dir="out")
    settings = SearchConfig(record_every=1)
    return find_ranks(build, TRAIN, lora_config=config, data_collator=collate, args=args, settings=settings)


def interrupt(**options: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        found(Collator(5), **options)


def folders() -> list[Path]:
    return [*Path("out").glob("search-*")]


def other_weights() -> nn.Module:
    model = tiny.build()
    with torch.no_grad():
        model.base_model.encoder.layer[1].output.dense.weight[3, 5] += 1
        model.base_model.encoder.layer[1].output.dense.weight *= 1.5
    return model


def test_an_interrupted_search_continues_and_finds_the_same_to_the_bit() -> None:
    whole = found(Collator())
    assert not folders()
    interrupt()
    assert len(folders()) == 1
    collate = Collator()
    again = found(collate)
    assert collate.calls == CALLS - 4  # two steps were done before
    assert again.selection == whole.selection
    assert [*again.history] == [*whole.history]
    assert not folders()


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"config": replace(CONFIG, r=2)}, {"config": replace(CONFIG, target_modules=["key"])},
     {"build": other_weights}],
    ids=["seed", "rank", "layers", "weights"],
)  # fmt: skip
def test_another_search_in_the_same_folder_starts_at_its_first_step(other: dict[str, Any]) -> None:
    interrupt()
    collate = Collator()
    found(collate, **other)
    assert collate.calls == CALLS
    assert len(folders()) == 1


def test_without_a_save_strategy_nothing_is_written() -> None:
    find_ranks(tiny.build, TRAIN, lora_config=CONFIG, data_collator=tiny.collate, args=arguments(output_dir="out"))
    assert not folders()
