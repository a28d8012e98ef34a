"""The work that contenders are timed on: training, searching, inference and generation with this project's code."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from peft import PeftModel
from torch import nn
from torch.utils.data import DataLoader

from autolora.adapters.adapt import adapt, projections_of
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import begin, split
from autolora.training.batch_order import batch_order
from autolora.training.batches import gather, lengthened
from autolora.training.config import TrainingConfig
from autolora.training.train import train
from baselines.lora_grid import one_after_another, stacked
from baselines.stacking.lora_stack import StackConfig
from benchmarks.measure.speed import peers
from benchmarks.measure.speed.setting import BATCH, timed_if_recorded
from benchmarks.tasks.families.beam_search import Beam, beam_search


def adapted(problem: Problem, rank: int = peers.RANK) -> PeftModel:
    """A fresh model with LoRA of one rank on all projections, on the problem's device."""
    projections = projections_of(problem)
    return adapt(problem, RankAllocation.uniform(projections, rank).to_lora_config(split=True)).to(
        problem.runtime.device
    )


def lora_training(problem: Problem, config: TrainingConfig) -> Callable[[], float]:
    """LoRA training by `autolora.training`; returns the seconds of all steps."""
    model, recorded = adapted(problem), timed_if_recorded(problem, config.total_steps(1))
    return lambda: train(model, recorded, config)


def grid_seconds(problem: Problem, config: TrainingConfig, stack: StackConfig | None, ranks: Sequence[int]) -> float:
    """Seconds of LoRA trainings at all ranks: stacked, or one after another where stack is None."""
    projections = projections_of(problem)
    configs = [RankAllocation.uniform(projections, rank).to_lora_config(split=True) for rank in ranks]
    candidates = stacked(problem, configs, config, stack) if stack else one_after_another(problem, configs, config)
    return sum(seconds for _, seconds in candidates)


def released_search_seconds(problem: Problem, config: SearchConfig, length: int) -> float:
    """Seconds of a search with betty-ml's engine, examples padded to length, and a new loader per validation batch."""

    def collate(examples: Sequence[Example]) -> Batch:
        return lengthened(problem.collate(examples), length)

    padded = replace(problem, collate=collate)
    train_part, valid_part = (list(part) for part in split(padded, config.valid_share))
    steps = config.training.total_steps(1)
    order = batch_order(train_part, BATCH, seed=0, stream="search-train")
    rank_search = begin(padded, config, steps)
    began = time.perf_counter()
    for step in range(steps):
        loader: DataLoader[Example] = DataLoader(valid_part, batch_size=BATCH, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
        valid_batch = {name: tensor.to(problem.runtime.device) for name, tensor in next(iter(loader)).items()}
        rank_search.step(step, gather(padded, train_part, order.batch(step)), valid_batch).item()
    return time.perf_counter() - began


def forward_seconds(model: nn.Module, batch: Batch, problem: Problem, *, times: int) -> float:
    """Seconds of one forward pass, the mean over several."""
    model.to(problem.runtime.device).eval()
    began = time.perf_counter()
    with torch.inference_mode(), problem.runtime.autocast():
        for _ in range(times):
            logits = model(**batch).logits
    float(logits[0, 0])  # waits until an accelerator has finished
    return (time.perf_counter() - began) / times


def generation_seconds(
    model: nn.Module, prompts: Sequence[Sequence[int]], beam: Beam, runtime: Runtime, *, new_tokens: int, cached: bool
) -> float:
    """Seconds of generating one text per prompt by beam search, with or without a key-value cache."""
    began = time.perf_counter()
    beam_search(model, prompts, beam, new_tokens=new_tokens, runtime=runtime, cached=cached)
    return time.perf_counter() - began
