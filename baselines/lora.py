"""LoRA (Hu et al., 2022) through PEFT, with the same rank in every query and value projection."""

from dataclasses import dataclass, field
from typing import ClassVar

from autolora.adapters.adapt import adapt, projections_of, trainable_counts
from autolora.adapters.ranks import RankAllocation
from autolora.problem import Outcome, Problem
from autolora.training.config import TrainingConfig
from autolora.training.train import train


@dataclass(frozen=True, kw_only=True)
class Lora:
    """The method LoRA, as in the row "LoRA" of Table 1: one rank in every projection."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "LoRA"

    rank: int = 4
    """Rank of every update (section 5.1)."""
    lora_alpha: float = 16
    """Updates are scaled by lora_alpha / rank; 16 in the authors' code, not given in the paper."""
    dropout: float = 0.0
    """Dropout on the input of the updates."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def train(self, problem: Problem) -> Outcome:
        """Adapt a fresh model to the problem's training set."""
        allocation = RankAllocation.uniform(projections_of(problem), self.rank)
        model = adapt(
            problem, allocation.to_lora_config(split=True, lora_alpha=self.lora_alpha, lora_dropout=self.dropout)
        )
        seconds = train(model, problem, self.training)
        return Outcome(
            model=model,
            seconds={"train": seconds},
            ranks=allocation.by_name(),
            **trainable_counts(model),
        )

    def work(self, examples: int) -> float:
        """Estimated training time, in units of LoRA's time per example."""
        return self.training.examples(examples)


METHOD = Lora
