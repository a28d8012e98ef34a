"""AutoLoRA as a library: find one LoRA rank per projection of your model, then train with plain PEFT."""

from autolora.fused import export
from autolora.pipeline import RetrainConfig, retrain, search_and_retrain
from autolora.problem import Outcome, Problem
from autolora.rank_search import RankSearch
from autolora.ranks import RankAllocation
from autolora.runtime import Runtime
from autolora.search import search
from autolora.search_config import Convergence, SearchConfig
from autolora.search_result import SearchResult
from autolora.team import Team
from autolora.trainer import problem_from_trainer
from autolora.training import TrainingConfig, train

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
