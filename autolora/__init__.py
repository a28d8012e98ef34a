"""AutoLoRA as a library: find one LoRA rank per projection of your model, then train with plain PEFT."""

from autolora.adapters.fused import export
from autolora.adapters.ranks import RankAllocation
from autolora.compute.process_group import Team
from autolora.compute.runtime import Runtime
from autolora.problem import Outcome, Problem
from autolora.rank_search.config import Convergence, SearchConfig
from autolora.rank_search.pipeline import RetrainConfig, retrain, search_and_retrain
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.result import SearchResult
from autolora.rank_search.search import search
from autolora.trainer import problem_from_trainer
from autolora.training.train import TrainingConfig, train

__all__ = [
    "Convergence",
    "Outcome",
    "Problem",
    "RankAllocation",
    "RankSearch",
    "RetrainConfig",
    "Runtime",
    "SearchConfig",
    "SearchResult",
    "Team",
    "TrainingConfig",
    "export",
    "problem_from_trainer",
    "retrain",
    "search",
    "search_and_retrain",
    "train",
]
