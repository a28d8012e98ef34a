"""LoRA with the ranks that AutoLoRA's search found, or with control ranks for comparison.

All allocations are trained like AutoLoRA's retraining, with its settings and the same total rank. If the learned ranks
matter, the controls score lower.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from autolora.adapters.adapt import projections_of, trainable_counts
from autolora.adapters.ranks import RankAllocation
from autolora.problem import Outcome, Problem
from autolora.rank_search.pipeline import RetrainConfig, retrain

Allocation = Literal["learned", "shuffled", "random", "uniform"]


@dataclass(frozen=True, kw_only=True)
class LoraWithRanks:
    """Retraining with the ranks of AutoLoRA's cell of the same task and seed, or with control ranks."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "LoRA, learned ranks"
    needs: ClassVar[str] = "autolora"

    allocation: Allocation = "learned"
    """"learned": the ranks found. "shuffled": the same ranks, permuted over the projections. "random": the same total,
    drawn uniformly from the components of all projections. "uniform": the floor of the mean rank everywhere, plus 1 for
    randomly chosen projections until the total is the same."""
    max_rank: int = 8
    """k, the maximum of a random rank."""
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    def train(self, problem: Problem) -> Outcome:
        """Retrain with the allocated ranks. Raises ValueError: the problem contains no ranks."""
        if problem.ranks is None:
            raise ValueError(
                f"there are no learned ranks, because the cell of {self.needs} that provides them has failed"
            )
        projections = projections_of(problem)
        learned = [problem.ranks[projection.name] for projection in projections]
        ranks = allocate(self.allocation, learned, self.max_rank, seed=problem.seed)
        allocation = RankAllocation(projections, tuple(ranks))
        model, seconds = retrain(problem, allocation, self.retrain)
        return Outcome(
            model=model,
            seconds={"train": seconds},
            ranks=allocation.by_name(),
            **trainable_counts(model),
        )

    def work(self, examples: int) -> float:
        """Estimated training time, in units of LoRA's time per example."""
        return self.retrain.training.examples(examples)


def allocate(allocation: Allocation, learned: Sequence[int], max_rank: int, *, seed: int) -> list[int]:
    """One rank per projection, with the same total as the learned ranks.

    Args:
        allocation: see `LoraWithRanks.allocation`.
        learned: the learned ranks, in the order of the model's projections.
        max_rank: k, the maximum of a random rank.
        seed: seed of all random choices.
    """
    rng = random.Random(f"{allocation}/{seed}")
    if allocation == "learned":
        return list(learned)
    if allocation == "shuffled":
        return rng.sample(learned, len(learned))
    if allocation == "uniform":
        floor, remainder = divmod(sum(learned), len(learned))
        extra = set(rng.sample(range(len(learned)), remainder))
        return [floor + (index in extra) for index in range(len(learned))]
    components = [index for index in range(len(learned)) for _ in range(max_rank)]
    drawn = rng.sample(components, sum(learned))
    return [drawn.count(index) for index in range(len(learned))]


METHOD = LoraWithRanks
