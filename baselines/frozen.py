"""The frozen model: only a new head is trained, and nothing at all where the model has none."""

from dataclasses import dataclass, field
from typing import ClassVar

from autolora.adapters.adapt import seeded_model, trainable_counts
from autolora.adapters.head import present_heads
from autolora.adapters.layers import freeze_all_but
from autolora.problem import Outcome, Problem
from autolora.training.config import TrainingConfig
from autolora.training.train import train


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """What the pretrained model reaches by itself: linear probing, or a language model as it is (zero-shot)."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Frozen"

    training: TrainingConfig = field(default_factory=TrainingConfig)

    def train(self, problem: Problem) -> Outcome:
        """Train the head of a fresh model; without a new head nothing is trained."""
        model = seeded_model(problem)
        head = present_heads(model, problem.head)
        freeze_all_but(model, head)
        seconds = {"train": train(model, problem, self.training)} if head else {}
        return Outcome(model=model, seconds=seconds, **trainable_counts(model, head))

    def work(self, examples: int) -> float:
        """Estimated training time, in units of LoRA's time per example."""
        return 0.4 * self.training.examples(examples)


METHOD = Frozen
