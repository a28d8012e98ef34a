"""One turn of a cost measurement: train a cell, or time some of its steps; and the profile of a cell's steps."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch.utils.flop_counter import FlopCounterMode

from autolora.compute.clocks import Clocks
from autolora.compute.runtime import Progress, TimingRun
from autolora.problem import Batch, Example, Outcome, Problem, ignore, keep_head
from benchmarks.measure.energy import Watts
from benchmarks.run.cache import Materials
from benchmarks.run.cell import set_up
from benchmarks.run.machine.memory import peak_memory_bytes, reset_peak_memory
from benchmarks.run.plan import Cell
from benchmarks.store.cost_record import Round, StageWork
from benchmarks.store.store import Store

PROFILED_STEPS = TimingRun(steps=8, warmup=0)
"""Steps per stage and configuration whose tokens and floating-point operations are counted."""
SLEPT_SECONDS = 1.0
"""Largest difference between the wall clock and the monotonic clock over an undisturbed turn."""


def take_turn(cell: Cell, materials: Materials, store: Store, timing_run: TimingRun | None) -> Round:
    """Train one cell, or extrapolate its training time from a timing run."""
    device = cell.config["device"]
    watts = Watts(device)
    reset_peak_memory(device)
    wall, monotonic = time.time(), time.monotonic()
    with watts.measure():
        outcome = _train(cell, materials, store, timing_run)
    clock_difference = (time.time() - wall) - (time.monotonic() - monotonic)
    return Round(
        seconds=dict(outcome.seconds),
        peak_memory_bytes=peak_memory_bytes(device),
        watts=watts.mean,
        disturbed=abs(clock_difference) > SLEPT_SECONDS,
    )


def profile_steps(cell: Cell, materials: Materials, store: Store) -> tuple[dict[str, StageWork], int]:
    """Tokens and operations per step of every stage, and the number of trainable parameters; warms up the process."""
    with FlopCounterMode(display=False) as flop_counter:
        counter = _StepCounter(flop_counter)
        outcome = _train(cell, materials, store, PROFILED_STEPS, counter)
    work = {
        stage: StageWork(
            steps=count.stage_steps,
            tokens=count.tokens / count.steps,
            padding=1 - count.tokens / count.padded_tokens,
            flops=count.flops / count.steps,
        )
        for stage, count in counter.stages.items()
    }
    return work, outcome.trainable_parameters


def _train(
    cell: Cell,
    materials: Materials,
    store: Store,
    timing_run: TimingRun | None,
    counter: "_StepCounter | None" = None,
) -> Outcome:
    """Train the cell, or time some of its steps, without checkpoints and without evaluation."""
    setup = set_up(cell, materials, store, clocks=Clocks(), progress=lambda _: None, stop=lambda: False)
    runtime = replace(setup.problem.runtime, timing_run=timing_run, checkpoints=None)
    if counter:
        runtime = replace(runtime, graphs=False)  # the operations of a replayed CUDA graph cannot be counted
    problem = replace(setup.problem, runtime=runtime, observe=ignore, score=lambda *_: 0.0)
    return setup.method.train(counter.attached(problem) if counter else problem)


@dataclass
class _StageCount:
    """Sums over the counted steps of one stage."""

    stage_steps: int = 0
    """Steps of the whole stage, counted or not."""
    steps: int = 0
    """Counted steps."""
    tokens: int = 0
    """Without padding."""
    padded_tokens: int = 0
    """With padding."""
    flops: int = 0


@dataclass
class _StepCounter:
    """Counts the tokens and the floating-point operations of training steps, stage by stage."""

    flop_counter: FlopCounterMode
    stages: dict[str, _StageCount] = field(default_factory=dict)

    def attached(self, problem: Problem) -> Problem:
        """The problem, whose collator and progress callback update the counts; the head is not fitted first."""
        since_last_step = _StageCount()

        def collate(examples: Sequence[Example]) -> Batch:
            batch = problem.collate(examples)
            since_last_step.tokens += sum(len(example["input_ids"]) for example in examples)
            since_last_step.padded_tokens += batch["input_ids"].numel()
            return batch

        def progress(progress: Progress) -> None:
            """Add the batches that were collated since the last step to this step's stage."""
            counted_flops = sum(stage.flops for stage in self.stages.values())
            stage = self.stages.setdefault(progress.stage, _StageCount())
            stage.stage_steps = progress.steps
            stage.steps += 1
            stage.tokens += since_last_step.tokens
            stage.padded_tokens += since_last_step.padded_tokens
            stage.flops += self.flop_counter.get_total_flops() - counted_flops
            since_last_step.tokens = since_last_step.padded_tokens = 0

        runtime = replace(problem.runtime, progress=progress)
        return replace(problem, collate=collate, fit_head=keep_head, runtime=runtime)
