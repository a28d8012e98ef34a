"""Backbone, runtime and sizes of a speed measurement."""

from dataclasses import dataclass, replace

from autolora.compute.runtime import Runtime, TimingRun
from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from benchmarks.data.models.backbones import Backbone
from benchmarks.measure.speed.problems import problem_of_lengths

BATCH = 16
"""Examples per batch."""
RELEASED_LENGTH = 512
"""Number of tokens that the authors' code pads every example to."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Backbone, runtime and number of steps that all contenders share."""

    backbone: Backbone
    runtime: Runtime
    steps: int
    """Steps of each contender per round."""
    released_length: int = RELEASED_LENGTH
    """Number of tokens that the contender "released setting" pads every example to."""

    def problem(self, task: str, *, precision: str | None = None) -> Problem:
        """A problem with one batch per step, whose examples are as long as the task's."""
        runtime = replace(self.runtime, precision=precision) if precision else self.runtime  # type: ignore[arg-type]
        return problem_of_lengths(task, self.backbone, runtime, examples=BATCH * self.steps)

    @property
    def training(self) -> TrainingConfig:
        """Training settings of all contenders."""
        return TrainingConfig(lr=1e-4, steps=self.steps, batch_size=BATCH)


def timed(problem: Problem, steps: int) -> Problem:
    """The problem as a timing run of this many steps; CUDA graphs are recorded before the timed steps."""
    return replace(problem, runtime=replace(problem.runtime, timing_run=TimingRun(steps=steps, warmup=0)))


def timed_if_recorded(problem: Problem, steps: int) -> Problem:
    """`timed(problem, steps)` where steps are recorded as CUDA graphs; else the problem itself, trained in full."""
    return timed(problem, steps) if problem.runtime.graphs else problem
