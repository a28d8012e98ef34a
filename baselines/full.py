"""Full fine-tuning: every weight is trained."""

from dataclasses import dataclass, field
from typing import ClassVar

from autolora.adapters.adapt import seeded_model, trainable_counts
from autolora.adapters.head import present_heads
from autolora.problem import Outcome, Problem
from autolora.training.config import TrainingConfig
from autolora.training.train import train


@dataclass(frozen=True, kw_only=True)
class Full:
    """Row "Full FT" of Table 1."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Full FT"

    training: TrainingConfig = field(default_factory=TrainingConfig)

    def train(self, problem: Problem) -> Outcome:
        """Train all weights of a fresh model."""
        model = seeded_model(problem)
        head = present_heads(model, problem.head)
        seconds = train(model, problem, self.training)
        return Outcome(model=model, seconds={"train": seconds}, **trainable_counts(model, head))

    def work(self, examples: int) -> float:
        """Estimated training time, in units of LoRA's time per example."""
        return 1.6 * self.training.examples(examples)


METHOD = Full
