"""Where an interrupted search continues: a folder that is named by what identifies the search."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from autolora.problem import Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.training.identity import digest, identity_of

_SAMPLED = 64
"""At most about this many evenly spaced values of each weight stand for all of them."""


def checkpoint_folder(
    arguments: Any, problem: Problem, config: SearchConfig, model: nn.Module, valid: Sequence[Example] | None
) -> Path | None:
    """The folder for a search's checkpoints below `output_dir`; None where `save_strategy` is "no".

    Its name depends on seed, data, settings, layers and the model's weights, so that searches that differ in any of them
    can share an output_dir, and the same search finds its own checkpoint again.

    Args:
        arguments: a `transformers.TrainingArguments`.
        problem: as the search takes it.
        config: likewise.
        model: without adapters.
        valid: the examples of D_val; None if they are split off the training set.
    """
    if arguments.save_strategy == "no":
        return None
    output = Path(arguments.output_dir)
    weights = [*model.parameters()]
    kept = replace(problem, runtime=replace(problem.runtime, checkpoints=output))
    identity = identity_of(kept, config, steps=config.training.steps or 0, weights=weights, valid=valid)
    name = digest([identity, config.training.epochs, [_sample(weight) for weight in weights]])
    return output / f"search-{name}"


def _sample(weight: Tensor) -> Tensor:
    flat = weight.detach().reshape(-1)
    return flat[:: max(1, ceil(flat.numel() / _SAMPLED))].cpu()
