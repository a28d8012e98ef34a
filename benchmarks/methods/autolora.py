"""AutoLoRA as a method of the benchmark: search, then retraining with the ranks found."""

from dataclasses import dataclass, field
from typing import ClassVar

from autolora.adapt import trainable_counts
from autolora.pipeline import RetrainConfig, search_and_retrain
from autolora.problem import Outcome, Problem
from autolora.search_config import SearchConfig


@dataclass(frozen=True, kw_only=True)
class AutoLora:
    """Row "AutoLoRA" of Table 1."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "AutoLoRA"

    search: SearchConfig = field(default_factory=SearchConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    def train(self, problem: Problem) -> Outcome:
        """Search and retrain."""
        model, found, seconds = search_and_retrain(problem, self.search, self.retrain)
        return Outcome(
            model=model,
            seconds=seconds,
            ranks=dict(found.ranks),
            details={"selection": dict(found.selection), "history": list(found.history), "search_steps": found.steps},
            **trainable_counts(model, problem.head),
        )

    def work(self, examples: int) -> float:
        """In units of LoRA's time per example; a step of the search takes about three of the retraining."""
        searched = round((1 - self.search.valid_share) * examples)
        return 3 * self.search.training.examples(searched) + self.retrain.training.examples(examples)


METHOD = AutoLora
