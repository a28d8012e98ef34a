"""Are ranks learned? Agreement between searches, against chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Matrix = NDArray[np.float64]
"""One row per search, one column per projection."""

PERMUTATIONS, TASK_PERMUTATIONS = 9999, 1999


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far several searches order the projections alike."""

    w: float
    """Kendall's coefficient of concordance, corrected for ties: 1 is the same order, 1/searches is chance."""
    p: float
    """Share of random orders that agree at least as much."""


@dataclass(frozen=True, kw_only=True)
class TaskEffect:
    """How much more the searches of one task agree than those of two."""

    difference: float
    """Mean Spearman correlation of two searches of one task, less that of searches of two tasks."""
    p: float
    """Share of permutations of the tasks with at least that difference."""


def agreement(ranks: Sequence[Sequence[float]], *, seed: int = 0) -> Agreement | None:
    """Kendall's W with a permutation test that shuffles each search's ranks over its projections.

    Args:
        ranks: searches x projections; at least two of each.
        seed: of the permutations.

    Returns:
        None where there are fewer than two searches, or a search gives all projections the same rank.
    """
    matrix = np.asarray(ranks, dtype=float)
    if len(matrix) < 2 or any(len(set(row)) == 1 for row in matrix.tolist()):
        return None
    rng = np.random.default_rng(seed)
    placed = stats.rankdata(matrix, axis=1)
    shuffled = rng.permuted(np.tile(placed, (PERMUTATIONS, 1, 1)), axis=2)
    # W is a linear function of the variance of the projections' mean ranks; the rest of it no shuffling changes.
    reached = shuffled.mean(axis=1).var(axis=1) >= placed.mean(axis=0).var() - 1e-12
    return Agreement(w=kendalls_w(matrix), p=(int(reached.sum()) + 1) / (PERMUTATIONS + 1))


def kendalls_w(matrix: Matrix) -> float:
    """Kendall's W of searches x projections, corrected for ties."""
    searches, projections = matrix.shape
    placed = stats.rankdata(matrix, axis=1)
    between = ((placed.sum(axis=0) - searches * (projections + 1) / 2) ** 2).sum()
    ties = sum(
        float((counts**3 - counts).sum()) for counts in (np.unique(row, return_counts=True)[1] for row in matrix)
    )
    return float(12 * between / (searches**2 * (projections**3 - projections) - searches * ties))


def noise_ranks(spread: float, max_rank: int, shape: tuple[int, int], *, seed: int = 0) -> Matrix:
    """Ranks that the threshold 1/k gives to selection logits of pure noise, independent and normal.

    Args:
        spread: standard deviation of the logits.
        max_rank: k.
        shape: searches x projections.
        seed: of the noise.
    """
    logits = np.random.default_rng(seed).normal(scale=spread, size=(*shape, max_rank))
    weights = np.exp(logits)
    kept: Matrix = (weights >= weights.mean(axis=2, keepdims=True)).sum(axis=2).astype(float)
    return kept


def layer_effect(ranks: Sequence[Sequence[float]], spread: float, max_rank: int, *, draws: int = 2000) -> float:
    """P value of the ranks' variance between projections, against thresholded noise.

    Returns:
        Share of as many searches of pure noise whose mean ranks differ at least as much between projections.
    """
    matrix = np.asarray(ranks, dtype=float)
    searches, projections = matrix.shape
    noise = noise_ranks(spread, max_rank, (draws * searches, projections)).reshape(draws, searches, projections)
    reached = noise.mean(axis=1).var(axis=1) >= matrix.mean(axis=0).var() - 1e-12
    return (int(reached.sum()) + 1) / (draws + 1)


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rank correlation; None where one of them is constant."""
    if len(set(one)) == 1 or len(set(other)) == 1:
        return None
    return float(stats.spearmanr(one, other).statistic)


def task_effect(ranks: Sequence[Sequence[Sequence[float]]], *, seed: int = 0) -> TaskEffect:
    """Do the searches of one task agree more with each other than with those of other tasks?

    Searches of the same seed share their initial factors, whatever the task: pairs of the same seed are left out, and
    the tasks are permuted at each seed by itself.

    Args:
        ranks: tasks x seeds x projections; two of each at least.
        seed: of the permutations.
    """
    tasks, seeds = len(ranks), len(ranks[0])
    placed = stats.rankdata(np.asarray(ranks, dtype=float).reshape(tasks * seeds, -1), axis=1)
    centred = placed - placed.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    units = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    correlations = (units @ units.T).reshape(tasks, seeds, tasks, seeds)
    rng = np.random.default_rng(seed)
    observed = _within_less_between(correlations, np.tile(np.arange(tasks)[:, None], (1, seeds)))
    permuted = (
        _within_less_between(correlations, rng.permuted(np.tile(np.arange(tasks)[:, None], (1, seeds)), axis=0))
        for _ in range(TASK_PERMUTATIONS)
    )
    reached = sum(difference >= observed - 1e-12 for difference in permuted)
    return TaskEffect(difference=observed, p=(reached + 1) / (TASK_PERMUTATIONS + 1))


def _within_less_between(correlations: Matrix, order: NDArray[np.int64]) -> float:
    """Mean correlation within rows of `order` (tasks x seeds: which task's search stands there), less that between."""
    tasks, seeds = order.shape
    at = np.arange(seeds)
    placed = correlations[order[:, :, None, None], at[None, :, None, None], order[None, None], at[None, None, None, :]]
    other_seed = ~np.eye(seeds, dtype=bool)[None, :, None, :]
    same_task = np.eye(tasks, dtype=bool)[:, None, :, None]
    within, between = (placed[np.broadcast_to(mask & other_seed, placed.shape)] for mask in (same_task, ~same_task))
    return float(within.mean() - between.mean())
