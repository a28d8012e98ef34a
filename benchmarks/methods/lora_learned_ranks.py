"""LoRA with ranks that AutoLoRA's search found, or with others to hold against them.

All of them train what AutoLoRA trains after its search, at its settings and with the same total rank: where the
learned ranks are worth something, the others do worse.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from autolora.adapters.adapt import fresh_model, trainable_counts
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.problem import Outcome, Problem
from autolora.rank_search.pipeline import RetrainConfig, retrain

Allocation = Literal["learned", "shuffled", "random", "uniform"]


@dataclass(frozen=True, kw_only=True)
class LoraWithRanks:
    """Retraining with the ranks of AutoLoRA's cell of the same task and seed, or with a control's."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "LoRA, learned ranks"
    needs: ClassVar[str] = "autolora"

    allocation: Allocation = "learned"
    """"learned": as found. "shuffled": the same ranks, dealt to other projections. "random": the same total, drawn
    from all components of all projections alike. "uniform": the mean's floor everywhere, the remainder dealt out."""
    max_rank: int = 8
    """k: no random rank is larger."""
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    def train(self, problem: Problem) -> Outcome:
        """Retrain. Raises ValueError: the problem comes without ranks."""
        if problem.ranks is None:
            raise ValueError(f"there are no learned ranks: the cell of {self.needs} that they come from has failed")
        projections = find_projections(fresh_model(problem), problem.targets)
        learned = [problem.ranks[projection.name] for projection in projections]
        ranks = allocate(self.allocation, learned, self.max_rank, seed=problem.seed)
        allocation = RankAllocation(projections, tuple(ranks))
        model, seconds = retrain(problem, allocation, self.retrain)
        return Outcome(
            model=model,
            seconds={"train": seconds},
            ranks=allocation.by_name(),
            **trainable_counts(model, problem.head),
        )

    def work(self, examples: int) -> float:
        """In units of LoRA's time per example."""
        return self.retrain.training.examples(examples)


def allocate(allocation: Allocation, learned: Sequence[int], max_rank: int, *, seed: int) -> list[int]:
    """Ranks for as many projections, with the same total as the learned ones.

    Args:
        allocation: how; see `LoraWithRanks.allocation`.
        learned: ranks in the model's order.
        max_rank: k.
        seed: decides all that is left to chance.
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
