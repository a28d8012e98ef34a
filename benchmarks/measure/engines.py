"""Error and speed of the hypergradient's engines, on a real model and real batches."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import torch
from tabulate import tabulate
from torch import Tensor

from autolora.compute.runtime import Precision
from autolora.problem import Batch, Problem
from autolora.rank_search.bilevel import Bilevel, Hypergradient
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.hypergradient import ENGINES
from autolora.rank_search.search import begin, split
from autolora.training.batch_order import batch_order
from autolora.training.batches import gather

WARM_UP_STEPS = 100
"""Search steps before the comparison: at the start of the search U is 0, and so is the second-order term."""
BATCHES = 10
"""Pairs of a training and a validation batch on which the engines are compared."""


@dataclass(frozen=True, kw_only=True)
class EngineError:
    """One engine at one precision, medians over batches."""

    engine: str
    precision: Precision
    error: float
    """||hypergradient - exact hypergradient in float32|| / ||exact hypergradient in float32||, at eta = 1."""
    second_order_error: float | None
    """The same relative error of the second-order term alone."""
    seconds: float


def measure_engines(
    problem: Problem, config: SearchConfig, precisions: Sequence[Precision] = get_args(Precision)
) -> list[EngineError]:
    """Run some search steps in float32, then compare the engines at the resulting weights with equal dropout masks.

    Args:
        problem: model and data.
        config: of the search; eta is the learning rate in the search steps, and 1 where the engines are compared.
        precisions: at which each engine is measured.
    """
    plain = replace(problem.runtime, precision="fp32")
    batches = _batch_pairs(problem, config)
    steps = WARM_UP_STEPS + BATCHES
    rank_search = begin(replace(problem, runtime=plain), config, steps)
    for step in range(WARM_UP_STEPS):
        rank_search.step(step, *batches(step))
    model = rank_search.model

    def compute(engine: str, precision: Precision, step: int) -> tuple[Hypergradient, float]:
        model.runtime = replace(plain, precision=precision)
        train_batch, valid_batch = batches(step)
        bilevel = Bilevel(
            train_loss=model.on(train_batch),
            valid_loss=model.on(valid_batch),
            weights=model.weights,
            logits=model.logits,
        )
        return _timed(engine, bilevel, seed=step)

    samples: dict[tuple[str, Precision], list[_Sample]] = {}
    for step in range(WARM_UP_STEPS, steps):  # all engines on one batch, then the next: timing noise affects all alike
        exact, _ = compute("exact", "fp32", step)
        for engine in ENGINES:
            for precision in precisions:
                hypergradient, seconds = compute(engine, precision, step)
                samples.setdefault((engine, precision), []).append(_Sample.of(hypergradient, exact, seconds))
    return _medians(samples)


def render_engines(rows: Sequence[EngineError], where: str) -> str:
    """A Markdown table, followed by a line about the model, the data and the device of the measurement."""
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


def _batch_pairs(problem: Problem, config: SearchConfig) -> Callable[[int], tuple[Batch, Batch]]:
    """Step -> its training batch and its validation batch."""
    train, valid = split(problem, config.valid_share)
    size = config.training.batch_size
    train_order, valid_order = (batch_order(part, size, seed=problem.seed, stream="engines") for part in (train, valid))

    def batches(step: int) -> tuple[Batch, Batch]:
        train_batch = gather(problem, train, train_order.batch(step))
        return train_batch, gather(problem, valid, valid_order.batch(step))

    return batches


def _timed(engine: str, bilevel: Bilevel, *, seed: int) -> tuple[Hypergradient, float]:
    """A hypergradient, and the seconds that its computation took; the seed decides the dropout masks."""
    torch.manual_seed(seed)
    started = time.perf_counter()
    hypergradient = ENGINES[engine](bilevel, 1.0)
    float(hypergradient.valid_loss)  # waits until an accelerator has finished
    return hypergradient, time.perf_counter() - started


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """The errors and the time of one engine on one pair of batches."""

    error: float
    second_order_error: float | None
    seconds: float

    @classmethod
    def of(cls, hypergradient: Hypergradient, exact: Hypergradient, seconds: float) -> "_Sample":
        known = hypergradient.second_order is not None and exact.second_order is not None
        second_order = (hypergradient.second_order or (), exact.second_order or ())
        return cls(
            error=_relative_error(hypergradient.total, exact.total),
            second_order_error=_relative_error(*second_order) if known else None,
            seconds=seconds,
        )


def _medians(samples: Mapping[tuple[str, Precision], Sequence[_Sample]]) -> list[EngineError]:
    """One row per engine and precision."""
    return [_median(engine, precision, of_pair) for (engine, precision), of_pair in samples.items()]


def _median(engine: str, precision: Precision, samples: Sequence[_Sample]) -> EngineError:
    second_order_errors = [sample.second_order_error for sample in samples if sample.second_order_error is not None]
    return EngineError(
        engine=engine,
        precision=precision,
        error=statistics.median(sample.error for sample in samples),
        second_order_error=statistics.median(second_order_errors) if second_order_errors else None,
        seconds=statistics.median(sample.seconds for sample in samples),
    )


def _relative_error(value: Sequence[Tensor], exact: Sequence[Tensor]) -> float:
    flat_value, flat_exact = torch.cat(list(value)), torch.cat(list(exact))
    return float((flat_value - flat_exact).norm() / flat_exact.norm())
