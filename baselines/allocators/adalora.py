"""AdaLoRA (arXiv:2303.10512) through PEFT: the ranks that its own pruning ends with.

It starts at 1.5 times the target rank, as in its paper; the target is the budget's uniform rank, rounded up, and the
final pattern is scaled in proportion to the budget where the two differ. Only the ranks are taken from it.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from autolora.adapters.adapt import projections_of
from autolora.adapters.budget import Budget, limit_of
from autolora.adapters.ranks import RankAllocation
from autolora.allocation.allocator import check_budget, in_proportion
from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from baselines.adalora import AdaLora


@dataclass(frozen=True, kw_only=True)
class AdaLoraRanks:
    """Costs one AdaLoRA training."""

    title: ClassVar[str] = "AdaLoRA"

    lora_alpha: float = 16
    """Scaling of the updates."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Train AdaLoRA, then fit its ranks to the budget."""
        projections = projections_of(problem)
        check_budget(budget, projections)
        whole = sum(1 if budget.parameters is None else each.lora_parameters(1) for each in projections)
        target = -(-limit_of(budget, projections) // whole)
        method = AdaLora(
            initial_rank=max(target + 1, round(1.5 * target)),
            target_rank=target,
            lora_alpha=self.lora_alpha,
            training=self.training,
        )
        found = method.train(problem).ranks
        assert found
        return in_proportion(found, budget, projections)


ALLOCATOR = AdaLoraRanks
