from typing import Any

from benchmarks.core.spec import Prepared
from benchmarks.run.procedure import apply_procedure

CONDITIONS = {"held_out": 0.0, "pooled": False, "drop_last": False, "epoch": "last"}


def prepared(*sizes: int) -> Prepared:
    names = ("matched", "mismatched")
    evaluation = {
        name: [{"id": (name, index)} for index in range(size)] for name, size in zip(names, sizes, strict=False)
    }
    train = [{"id": index} for index in range(40)]
    return Prepared(train=train, strata=[index % 2 for index in range(40)], evaluation=evaluation, collate=dict)


def sizes(**changes: Any) -> dict[str, int]:
    found = apply_procedure(prepared(35, 20), CONDITIONS | changes)
    return {"train": len(found.train)} | {split: len(examples) for split, examples in found.evaluation.items()}


def test_without_any_switch_everything_stays() -> None:
    assert sizes() == {"train": 40, "matched": 35, "mismatched": 20}


def test_whole_batches_of_16_are_scored_where_the_last_is_dropped() -> None:
    assert sizes(drop_last=True) == {"train": 40, "matched": 32, "mismatched": 16}


def test_splits_are_pooled_before_the_last_batch_is_dropped() -> None:
    assert sizes(pooled=True) == {"train": 40, "pooled": 55}
    assert sizes(pooled=True, drop_last=True) == {"train": 40, "pooled": 48}


def test_a_single_split_is_not_pooled() -> None:
    assert list(apply_procedure(prepared(35), CONDITIONS | {"pooled": True}).evaluation) == ["matched"]


def test_what_chooses_the_epoch_is_not_trained_on() -> None:
    found = apply_procedure(prepared(35, 20), CONDITIONS | {"epoch": "held-out"})
    assert list(found.evaluation) == ["matched", "mismatched", "held_out"]
    held_out = {example["id"] for example in found.evaluation["held_out"]}
    assert len(held_out) == 4
    assert not held_out & {example["id"] for example in found.train}
    assert len(found.train) == len(found.strata) == 36


def test_for_tuning_a_part_of_train_takes_the_place_of_the_splits() -> None:
    assert sizes(held_out=0.25) == {"train": 30, "held_out": 10}
