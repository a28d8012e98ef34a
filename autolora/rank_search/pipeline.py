"""AutoLoRA end to end: search, then retraining on D_tr and D_val together with the ranks found (section 4.5)."""

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from autolora.adapters.adapt import adapt
from autolora.adapters.ranks import RankAllocation, Scaling
from autolora.problem import Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.result import SearchResult
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from autolora.training.train import train


@dataclass(frozen=True, kw_only=True)
class RetrainConfig:
    """How LoRA's update matrices are retrained with the ranks found."""

    lora_alpha: float = 16
    """Numerator of LoRA's scaling."""
    scaling: Scaling = "by-rank"
    """"by-rank": lora_alpha / r_l in layer l, as in the authors' code; "constant": lora_alpha / mean rank in all layers."""
    dropout: float = 0.0
    """Dropout on the input of the LoRA updates."""
    bias: Literal["none", "all"] = "none"
    """Whether all biases of the model are trained too, as the authors do on BioNLP2004."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """Of the update matrices."""


def retrain(problem: Problem, allocation: RankAllocation, config: RetrainConfig) -> tuple[nn.Module, float]:
    """Train LoRA with the given ranks on the whole training set, from the pretrained weights (section 4.4).

    Args:
        problem: the model and its training set.
        allocation: the ranks; layers of rank 0 are not adapted.
        config: scaling, dropout and training of the update matrices.

    Returns:
        The PEFT model, and the wall-clock seconds of optimisation.
    """
    peft_config = allocation.to_lora_config(
        split=True,
        lora_alpha=config.lora_alpha,
        scaling=config.scaling,
        lora_dropout=config.dropout,
        bias=config.bias,
    )
    model = adapt(problem, peft_config)
    return model, train(model, problem, config.training)


def search_and_retrain(
    problem: Problem, search_config: SearchConfig, retrain_config: RetrainConfig, *, probing: bool = False
) -> tuple[nn.Module, SearchResult, dict[str, Any]]:
    """Search ranks and retrain with them (Algorithm 1).

    Args:
        problem: the model and its training set.
        search_config: of the search.
        retrain_config: of the training with the ranks found.
        probing: as in `search`.

    Returns:
        The PEFT model; the search's result; wall-clock seconds of "search" and "train".
    """
    found = search(problem, search_config, probing=probing)
    model, seconds = retrain(problem, found.allocation, retrain_config)
    return model, found, {"search": found.seconds, "train": seconds}
