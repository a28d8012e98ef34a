"""AutoLoRA as a method of the benchmark: rank search, then retraining with the ranks found."""

from dataclasses import dataclass, field
from typing import ClassVar

from autolora.adapters.adapt import trainable_counts
from autolora.problem import Outcome, Problem
from autolora.rank_search.config import Convergence, SearchConfig
from autolora.rank_search.history import converged_at
from autolora.rank_search.pipeline import RetrainConfig, retrain
from autolora.rank_search.result import SearchResult
from autolora.rank_search.search import search


@dataclass(frozen=True, kw_only=True)
class AutoLora:
    """AutoLoRA, as in the row "AutoLoRA" of Table 1."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "AutoLoRA"

    search: SearchConfig = field(default_factory=SearchConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    def train(self, problem: Problem) -> Outcome:
        """Search the ranks, then retrain with them."""
        found = search(problem, self.search, probing=True)
        model, seconds = retrain(problem, found.allocation, self.retrain)
        return Outcome(
            model=model,
            seconds={"search": found.seconds, "train": seconds},
            ranks=dict(found.ranks),
            details={
                "roles": {projection.name: projection.role for projection in found.projections},
                "selection": dict(found.selection),
                "history": list(found.history),
                "search_steps": found.steps,
                "would_stop": would_stop(found),
                "probe": found.probe,
            },
            **trainable_counts(model),
        )

    def work(self, examples: int) -> float:
        """Estimated training time, in units of LoRA's time per example; a search step costs several passes."""
        searched = round((1 - self.search.valid_share) * examples)
        return passes(self.search) * self.search.training.examples(searched) + self.retrain.training.examples(examples)


def would_stop(found: SearchResult) -> dict[str, float]:
    """What the default convergence criterion would have saved of a search, and how it would have changed the ranks.

    Returns:
        "saved", the share of the steps; "same_ranks", the share of projections whose rank was already final at that step.
    """
    step = converged_at(found.history, Convergence())
    if step is None:
        return {"saved": 0.0, "same_ranks": 1.0}
    (ranks,) = (record["ranks"] for record in found.history if record["step"] == step)
    same = [ranks[name] == rank for name, rank in found.ranks.items()]
    return {"saved": 1 - step / found.steps, "same_ranks": sum(same) / len(same)}


def passes(config: SearchConfig) -> float:
    """Cost of a search step in LoRA steps: one per loss and gradient, plus those of the second-order term."""
    second_order = {"exact": 1.0, "finite-difference": 2.0, "finite-difference-one-sided": 1.0, "first-order": 0.0}
    differentiated = 0.0 if config.eta == 0 else second_order.get(config.engine, 2.0)
    at_optimizer_step = float(config.look_ahead == "optimizer" and config.engine == "exact" and config.eta != 0)
    return 2 + differentiated + at_optimizer_step + float(config.order != "simultaneous")


METHOD = AutoLora
