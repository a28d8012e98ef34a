"""Problems of random tokens with the lengths of real data: the time of a step does not depend on token values."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autolora.compute.runtime import Runtime
from autolora.problem import Example, Problem
from benchmarks.data.models.backbones import Backbone
from benchmarks.tasks.families.classification import pad

LENGTHS: Mapping[str, Mapping[str, Any]] = json.loads(
    Path(__file__).with_name("lengths.json").read_text(encoding="utf-8")
)
"""Task -> "examples": size of its training set; "lengths": percentiles of its examples' numbers of MiniLM tokens."""


def problem_of_lengths(task: str, backbone: Backbone, runtime: Runtime, *, examples: int) -> Problem:
    """A problem of random tokens and labels, with lengths drawn from those of the task's training examples."""
    rng = random.Random(f"{task}/speed")
    lengths: list[int] = rng.choices(LENGTHS[task]["lengths"], k=examples)
    drawn: list[Example] = [
        {"input_ids": [rng.randrange(1000, 10_000) for _ in range(length)], "labels": rng.randrange(2)}
        for length in lengths
    ]
    return Problem(
        build_model=backbone.builder(num_labels=2, seed=0),
        train=drawn,
        collate=lambda batch: pad(backbone.tokenizer, batch),
        head=backbone.head,
        strata=[example["labels"] for example in drawn],
        score=lambda *_: 0.0,
        runtime=runtime,
    )
