"""AutoLoRA as a library: find one LoRA rank per projection of your model, then train with plain PEFT."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autolora.adapters.budget import Budget
    from autolora.adapters.fused import export
    from autolora.adapters.ranks import RankAllocation
    from autolora.allocation.autolora_budget import AutoLoraBudget
    from autolora.compute.process_group import Team
    from autolora.compute.runtime import Runtime
    from autolora.finding.agreement import Agreement, agreement
    from autolora.finding.find_ranks import find_ranks, find_ranks_for
    from autolora.finding.found_ranks import FoundRanks
    from autolora.problem import Outcome, Problem
    from autolora.rank_search.config import Convergence, SearchConfig
    from autolora.rank_search.pipeline import RetrainConfig, retrain, search_and_retrain
    from autolora.rank_search.rank_search import RankSearch
    from autolora.rank_search.result import SearchResult
    from autolora.rank_search.search import search
    from autolora.trainer import problem_from_trainer
    from autolora.training.config import TrainingConfig
    from autolora.training.train import train

__all__ = [
    "Agreement",
    "AutoLoraBudget",
    "Budget",
    "Convergence",
    "FoundRanks",
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
    "agreement",
    "export",
    "find_ranks",
    "find_ranks_for",
    "problem_from_trainer",
    "retrain",
    "search",
    "search_and_retrain",
    "train",
]
_MODULES = {
    "adapters.budget": ("Budget",),
    "adapters.fused": ("export",),
    "adapters.ranks": ("RankAllocation",),
    "allocation.autolora_budget": ("AutoLoraBudget",),
    "compute.process_group": ("Team",),
    "compute.runtime": ("Runtime",),
    "finding.agreement": ("Agreement", "agreement"),
    "finding.find_ranks": ("find_ranks", "find_ranks_for"),
    "finding.found_ranks": ("FoundRanks",),
    "problem": ("Outcome", "Problem"),
    "rank_search.config": ("Convergence", "SearchConfig"),
    "rank_search.pipeline": ("RetrainConfig", "retrain", "search_and_retrain"),
    "rank_search.rank_search": ("RankSearch",),
    "rank_search.result": ("SearchResult",),
    "rank_search.search": ("search",),
    "trainer": ("problem_from_trainer",),
    "training.config": ("TrainingConfig",),
    "training.train": ("train",),
}
"""Module -> its public names; a module is imported when one of its names is first used, since torch takes seconds."""


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"autolora.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
