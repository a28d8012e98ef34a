"""LoRA with a grid search of the rank: every rank is trained and scored on a held-out part of the training set."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from peft import LoraConfig, PeftModel

from autolora.adapters.adapt import adapt, projections_of, trainable_counts
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import NonFiniteLossError, Progress, Runtime
from autolora.problem import Outcome, Problem, Score, ignore
from autolora.training.config import TrainingConfig
from autolora.training.splits import stratified_split
from autolora.training.train import train
from baselines.stacking.lora_stack import LoRAStack, StackConfig
from baselines.stacking.train_stack import train_stack

Candidate = tuple[PeftModel | None, float]
"""A trained model, None if its training diverged, and the seconds of its training."""


@dataclass(frozen=True, kw_only=True)
class LoraGrid:
    """Row "LoRA+Grid Search" of Table 5. The best rank is trained again on the whole training set."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "LoRA (grid)"

    ranks: tuple[int, ...] = tuple(range(1, 17))
    """Ranks of the grid. Section 5.7 gives the number of configurations, 16, but not their ranks."""
    lora_alpha: float = 16
    """Updates are scaled by lora_alpha / rank."""
    dropout: float = 0.0
    """Dropout on the input of the updates."""
    valid_share: float = 0.1
    """Share of the training set that is held out to score the ranks."""
    stack: StackConfig = field(default_factory=StackConfig)
    """How many configurations are trained at once; with `members` 1, they are trained one after another."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if not self.ranks:
            raise ValueError("the grid is empty: ranks must name at least one rank")
        if min(self.ranks) < 1 or len(set(self.ranks)) < len(self.ranks):
            raise ValueError(f"the grid's ranks must be distinct and at least 1; got {list(self.ranks)}")

    def train(self, problem: Problem) -> Outcome:
        """Train every rank on one part of the training set, score it on the other part, and retrain the best rank.

        Among equal scores, the smallest rank is chosen.

        Raises:
            ValueError: a rank exceeds that of a projection, or the problem has no score.
            NonFiniteLossError: the training of every rank diverged.
        """
        if problem.score is None:
            raise ValueError("a grid search selects by the task's metric: the problem needs a score")
        grid = self._grid(problem)
        scores, search_seconds = self._search(problem, grid, problem.score)
        finite = {rank: score for rank, score in scores.items() if score is not None}
        if not finite:
            raise NonFiniteLossError(f"none of the ranks {list(grid)} could be trained; try a lower lr")
        best = max(finite, key=lambda rank: (finite[rank], -rank))
        model = adapt(problem, self._peft_config(grid[best]))
        return Outcome(
            model=model,
            seconds={"search": search_seconds, "train": train(model, problem, self.training)},
            ranks=grid[best].by_name(),
            details={"grid": {str(rank): score for rank, score in scores.items()}},
            **trainable_counts(model),
        )

    def _grid(self, problem: Problem) -> dict[int, RankAllocation]:
        """Rank -> its allocation, in ascending order of ranks."""
        projections = projections_of(problem)
        largest = min(min(item.in_features, item.out_features) for item in projections)
        if max(self.ranks) > largest:
            raise ValueError(
                f"the grid's ranks must lie in 1..{largest}, the rank of the projections; got {max(self.ranks)}"
            )
        return {rank: RankAllocation.uniform(projections, rank) for rank in sorted(self.ranks)}

    def _search(
        self, problem: Problem, grid: Mapping[int, RankAllocation], score: Score
    ) -> tuple[dict[int, float | None], float]:
        """Rank -> score on the held-out part, None if its training diverged; and the seconds of all trainings."""
        train_part, valid_part = stratified_split(
            problem.all_strata, self.valid_share, seed=problem.seed, groups=problem.groups
        )
        searched = replace(problem, train=problem.examples(train_part), strata=None, groups=None, observe=ignore)
        candidates = self._candidates(searched, grid.values())
        search_seconds, scores = 0.0, {}
        for rank, (model, seconds) in zip(grid, candidates, strict=True):
            search_seconds += seconds
            with problem.runtime.clocks.measure("choose"):
                value = score(model, problem.examples(valid_part)) if model else None
                scores[rank] = problem.runtime.team.broadcast(value)
        return scores, search_seconds

    def work(self, examples: int) -> float:
        """Estimated training time, in units of LoRA's time per example."""
        searched = round((1 - self.valid_share) * examples)
        return len(self.ranks) * self.training.examples(searched) + self.training.examples(examples)

    def _candidates(self, problem: Problem, grid: Iterable[RankAllocation]) -> Iterator[Candidate]:
        configs = [self._peft_config(allocation) for allocation in grid]
        if self.stack.members == 1:
            return one_after_another(problem, configs, self.training)
        return stacked(problem, configs, self.training, self.stack)

    def _peft_config(self, allocation: RankAllocation) -> LoraConfig:
        return allocation.to_lora_config(split=True, lora_alpha=self.lora_alpha, lora_dropout=self.dropout)


def stacked(
    problem: Problem, configs: Sequence[LoraConfig], training: TrainingConfig, stack: StackConfig
) -> Iterator[Candidate]:
    """Train all configurations at once, as a stack."""
    members = LoRAStack(problem, configs, stack)
    seconds, finite = train_stack(members, problem, training, stage="search")
    for index, is_finite in enumerate(finite):
        yield members.member(index) if is_finite else None, seconds / len(finite)


def one_after_another(problem: Problem, configs: Sequence[LoraConfig], training: TrainingConfig) -> Iterator[Candidate]:
    """Train one configuration after another, all on the same batches and with the same dropout masks."""
    for index, config in enumerate(configs):
        model = adapt(problem, config)
        runtime = replace(problem.runtime, progress=partial(_report_overall, problem.runtime, index, len(configs)))
        try:
            seconds = train(model, replace(problem, runtime=runtime), training, stage=f"search-{index}", keep_last=True)
        except NonFiniteLossError:
            yield None, 0.0
        else:
            yield model, seconds


def _report_overall(runtime: Runtime, index: int, configs: int, progress: Progress) -> None:
    """Report the step of one candidate as a step of the whole search."""
    done = index * progress.steps + progress.step
    runtime.progress(replace(progress, stage="search", step=done, steps=configs * progress.steps))


METHOD = LoraGrid
