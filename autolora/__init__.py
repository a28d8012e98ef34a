"""AutoLoRA as a library: find one LoRA rank per projection of your model, then train with plain PEFT."""

from autolora.pipeline import RetrainConfig, retrain, search_and_retrain
from autolora.problem import Outcome, Problem
from autolora.ranks import RankAllocation
from autolora.runtime import Runtime
from autolora.search import SearchConfig, SearchResult, search
from autolora.training import TrainingConfig, train

__all__ = [
    "Outcome",
    "Problem",
    "RankAllocation",
    "RetrainConfig",
    "Runtime",
    "SearchConfig",
    "SearchResult",
    "TrainingConfig",
    "retrain",
    "search",
    "search_and_retrain",
    "train",
]
