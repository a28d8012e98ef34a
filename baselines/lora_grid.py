"""LoRA with its rank found by grid search: every rank is trained, the best on a held-out part of train is kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from peft import LoraConfig, PeftModel

from autolora.adapters.adapt import adapt, fresh_model, trainable_counts
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import NonFiniteLossError, Progress, Runtime
from autolora.problem import Outcome, Problem, ignore
from autolora.training.splits import stratified_split
from autolora.training.train import TrainingConfig, train
from baselines.stacking.lora_stack import LoRAStack, StackConfig, train_stack

Candidate = tuple[PeftModel | None, float]
"""A trained configuration, None where it diverged, and the seconds of its training."""


@dataclass(frozen=True, kw_only=True)
class LoraGrid:
    """Row "LoRA+Grid Search" of Table 5. The winner is trained again on the whole training set."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "LoRA (grid)"

    ranks: tuple[int, ...] = tuple(range(1, 17))
    """What is tried: 16 configurations, as section 5.7 says; which ones it does not say."""
    lora_alpha: float = 16
    """Updates are scaled by lora_alpha / rank."""
    dropout: float = 0.0
    """Dropout on the input of the updates."""
    valid_share: float = 0.1
    """Share of the training set that the ranks are scored on."""
    stack: StackConfig = field(default_factory=StackConfig)
    """How many configurations are trained at once; 1 trains one after the other."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if not self.ranks:
            raise ValueError("the grid is empty: ranks must name at least one rank")
        if min(self.ranks) < 1 or len(set(self.ranks)) < len(self.ranks):
            raise ValueError(f"the grid's ranks must be different and at least 1; got {list(self.ranks)}")

    def train(self, problem: Problem) -> Outcome:
        """Train every rank on one part of the training set, score it on the other; train the best on all of it.

        Of equal scores the smallest rank wins.

        Raises:
            ValueError: a rank exceeds a projection's own, or the problem has no score.
            NonFiniteLossError: no rank could be trained.
        """
        if problem.score is None:
            raise ValueError("a grid search chooses by the task's metric: the problem needs a score")
        projections = find_projections(fresh_model(problem), problem.targets)
        largest = min(min(item.in_features, item.out_features) for item in projections)
        if max(self.ranks) > largest:
            raise ValueError(f"the grid's ranks must lie in 1..{largest}, the projections' own; got {max(self.ranks)}")
        grid = {rank: RankAllocation.uniform(projections, rank) for rank in sorted(self.ranks)}
        train_part, valid_part = stratified_split(
            problem.all_strata, self.valid_share, seed=problem.seed, groups=problem.groups
        )
        searched = replace(problem, train=problem.examples(train_part), strata=None, groups=None, observe=ignore)
        candidates = self._candidates(searched, grid.values())
        search_seconds, scores = 0.0, {}
        for rank, (model, seconds) in zip(grid, candidates, strict=True):
            search_seconds += seconds
            with problem.runtime.clocks.measure("choose"):
                score = problem.score(model, problem.examples(valid_part)) if model else None
                scores[rank] = problem.runtime.team.broadcast(score)
        sound = {rank: score for rank, score in scores.items() if score is not None}
        if not sound:
            raise NonFiniteLossError(f"none of the ranks {list(grid)} could be trained; try a lower lr")
        best = max(sound, key=lambda rank: (sound[rank], -rank))
        model = adapt(problem, self._peft(grid[best]))
        return Outcome(
            model=model,
            seconds={"search": search_seconds, "train": train(model, problem, self.training)},
            ranks=grid[best].by_name(),
            details={"grid": {str(rank): score for rank, score in scores.items()}},
            **trainable_counts(model, problem.head),
        )

    def work(self, examples: int) -> float:
        """In units of LoRA's time per example."""
        searched = round((1 - self.valid_share) * examples)
        return len(self.ranks) * self.training.examples(searched) + self.training.examples(examples)

    def _candidates(self, problem: Problem, grid: Iterable[RankAllocation]) -> Iterator[Candidate]:
        configs = [self._peft(allocation) for allocation in grid]
        if self.stack.members == 1:
            return one_after_another(problem, configs, self.training)
        return stacked(problem, configs, self.training, self.stack)

    def _peft(self, allocation: RankAllocation) -> LoraConfig:
        return allocation.to_lora_config(lora_alpha=self.lora_alpha, lora_dropout=self.dropout)


def stacked(
    problem: Problem, configs: Sequence[LoraConfig], training: TrainingConfig, stack: StackConfig
) -> Iterator[Candidate]:
    """Train all configurations at once."""
    members = LoRAStack(problem, configs, stack)
    seconds, sound = train_stack(members, problem, training, stage="search")
    for index, fine in enumerate(sound):
        yield members.member(index) if fine else None, seconds / len(sound)


def one_after_another(problem: Problem, configs: Sequence[LoraConfig], training: TrainingConfig) -> Iterator[Candidate]:
    """Train each configuration by itself, on the batches and with the dropout masks that all have."""
    for index, config in enumerate(configs):
        model = adapt(problem, config)
        runtime = replace(problem.runtime, progress=partial(_of_all, problem.runtime, index, len(configs)))
        try:
            seconds = train(model, replace(problem, runtime=runtime), training, stage=f"search-{index}", keep_last=True)
        except NonFiniteLossError:
            yield None, 0.0
        else:
            yield model, seconds


def _of_all(runtime: Runtime, index: int, configs: int, progress: Progress) -> None:
    """Tell a candidate's step as one of all candidates' steps."""
    done = index * progress.steps + progress.step
    runtime.progress(replace(progress, stage="search", step=done, steps=configs * progress.steps))


METHOD = LoraGrid
