"""How exact and how fast the hypergradient's engines are, on a real model and real batches."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import torch
from tabulate import tabulate
from torch import Tensor

from autolora.compute.runtime import Precision
from autolora.problem import Batch, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.hypergradient import ENGINES, Bilevel, Hypergradient
from autolora.rank_search.search import begin, split
from autolora.training.train import batch_order, gather

WARM_UP_STEPS = 100
"""Steps of the search before anything is measured: at its start U is 0, and the second-order term too."""
BATCHES = 10


@dataclass(frozen=True, kw_only=True)
class EngineError:
    """One engine at one precision, medians over batches."""

    engine: str
    precision: Precision
    error: float
    """||hypergradient - exact one in float32|| / ||exact one in float32||, at eta = 1."""
    second_order_error: float | None
    """The same of the second-order term alone."""
    seconds: float


def measure_engines(
    problem: Problem, config: SearchConfig, precisions: Sequence[Precision] = get_args(Precision)
) -> list[EngineError]:
    """Search for a while in float32, then compare the engines where that has led; dropout masks are the same.

    Args:
        problem: model and data.
        config: of the search; eta is the learning rate on the way, and 1 where engines are compared.
        precisions: at which each engine is measured.
    """
    plain = replace(problem.runtime, precision="fp32")
    train, valid = split(problem, config.valid_share)
    size = config.training.batch_size
    orders = [batch_order(part, size, seed=problem.seed, stream="engines") for part in (train, valid)]

    def batches(step: int) -> tuple[Batch, Batch]:
        first, second = (
            gather(problem, part, order.batch(step)) for part, order in zip((train, valid), orders, strict=True)
        )
        return first, second

    steps = WARM_UP_STEPS + BATCHES
    searching = begin(replace(problem, runtime=plain), config, steps)
    for step in range(WARM_UP_STEPS):
        searching.step(step, *batches(step))
    model = searching.model

    def compute(engine: str, precision: Precision, step: int) -> tuple[Hypergradient, float]:
        model.runtime = replace(plain, precision=precision)
        train_batch, valid_batch = batches(step)
        bilevel = Bilevel(
            train_loss=model.on(train_batch),
            valid_loss=model.on(valid_batch),
            weights=model.weights,
            logits=model.logits,
        )
        torch.manual_seed(step)
        started = time.perf_counter()
        found = ENGINES[engine](bilevel, 1.0)
        float(found.valid_loss)  # fetched, so that an accelerator has finished
        return found, time.perf_counter() - started

    samples: dict[tuple[str, Precision], list[_Sample]] = {}
    for step in range(WARM_UP_STEPS, steps):  # all engines on one batch, then the next: noise falls on all alike
        truth, _ = compute("exact", "fp32", step)
        for engine in ENGINES:
            for precision in precisions:
                found, seconds = compute(engine, precision, step)
                samples.setdefault((engine, precision), []).append(_Sample.of(found, truth, seconds))
    return [_summary(engine, precision, taken) for (engine, precision), taken in samples.items()]


def render_engines(rows: Sequence[EngineError], where: str) -> str:
    """As a Markdown table, with a line that says where it was measured."""
    cells = [
        [
            row.engine,
            row.precision,
            f"{row.error:.1e}",
            "-" if row.second_order_error is None else f"{row.second_order_error:.1e}",
            f"{row.seconds / rows[0].seconds:.2f}",
        ]
        for row in rows
    ]
    headers = ["engine", "precision", "error", "error of the second-order term", "time"]
    return tabulate(cells, headers, tablefmt="pipe", disable_numparse=True) + f"\n\n{where}"


@dataclass(frozen=True, kw_only=True)
class _Sample:
    error: float
    second_order_error: float | None
    seconds: float

    @classmethod
    def of(cls, found: Hypergradient, truth: Hypergradient, seconds: float) -> "_Sample":
        known = found.second_order is not None and truth.second_order is not None
        return cls(
            error=_error(found.total, truth.total),
            second_order_error=_error(found.second_order or (), truth.second_order or ()) if known else None,
            seconds=seconds,
        )


def _summary(engine: str, precision: Precision, samples: Sequence[_Sample]) -> EngineError:
    of_second_order = [sample.second_order_error for sample in samples if sample.second_order_error is not None]
    return EngineError(
        engine=engine,
        precision=precision,
        error=statistics.median(sample.error for sample in samples),
        second_order_error=statistics.median(of_second_order) if of_second_order else None,
        seconds=statistics.median(sample.seconds for sample in samples),
    )


def _error(found: Sequence[Tensor], truth: Sequence[Tensor]) -> float:
    one, other = torch.cat(list(found)), torch.cat(list(truth))
    return float((one - other).norm() / other.norm())
