"""Tests of whether ranks are learned, compared with thresholded noise and with other tasks' searches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Matrix = NDArray[np.float64]
"""One row per search, one column per projection."""

TASK_PERMUTATIONS = 1999
"""Number of permutations of the test of `task_effect`."""


@dataclass(frozen=True, kw_only=True)
class TaskEffect:
    """How much more the searches of one task agree with each other than with searches of other tasks."""

    difference: float
    """Mean Spearman correlation of two searches of the same task, less that of two searches of different tasks."""
    p: float
    """P value of the permutation test: share of permutations of the tasks with at least this difference."""


def logit_spread(selections: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation of the selection logits within a projection, pooled over projections and searches.

    The variance within each projection has k - 1 degrees of freedom, because the softmax determines the logits only up
    to a constant; the mean of these variances is unbiased.

    Args:
        selections: selection variables of a softmax, one sequence of k values per projection and search.

    Returns:
        None where a variable has no logarithm: 0, to which a softmax can be rounded, or less.
    """
    if any(value <= 0 for values in selections for value in values):
        return None
    logits = [np.log(np.asarray(values, dtype=float)) for values in selections]
    return float(np.sqrt(np.mean([values.var(ddof=1) for values in logits])))


def noise_ranks(spread: float, max_rank: int, shape: tuple[int, int], *, seed: int = 0) -> Matrix:
    """Ranks derived with the threshold 1/k from independent, normally distributed selection logits.

    Args:
        spread: standard deviation of the logits.
        max_rank: k, the number of components per projection.
        shape: (searches, projections).
        seed: seed of the noise.
    """
    logits = np.random.default_rng(seed).normal(scale=spread, size=(*shape, max_rank))
    weights = np.exp(logits)
    kept: Matrix = (weights >= weights.mean(axis=2, keepdims=True)).sum(axis=2).astype(float)
    return kept


def layer_effect(ranks: Sequence[Sequence[float]], spread: float, max_rank: int, *, draws: int = 2000) -> float:
    """P value of the variance of the mean ranks between projections, compared with thresholded noise (`noise_ranks`).

    Returns:
        Share of draws of noise with at least the measured variance; each draw has as many searches as were measured.
    """
    matrix = np.asarray(ranks, dtype=float)
    searches, projections = matrix.shape
    noise = noise_ranks(spread, max_rank, (draws * searches, projections)).reshape(draws, searches, projections)
    as_extreme = noise.mean(axis=1).var(axis=1) >= matrix.mean(axis=0).var() - 1e-12
    return (int(as_extreme.sum()) + 1) / (draws + 1)


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation; None where either sequence is constant."""
    if len(set(first)) == 1 or len(set(second)) == 1:
        return None
    return float(stats.spearmanr(first, second).statistic)


def task_effect(ranks: Sequence[Sequence[Sequence[float]]], *, seed: int = 0) -> TaskEffect:
    """Test whether searches of one task agree more with each other than with searches of other tasks.

    Searches with the same seed start from the same initial factors whatever the task. Pairs with the same seed are
    therefore left out, and the tasks are permuted separately at each seed.

    Args:
        ranks: shape (tasks, seeds, projections), with at least two of each.
        seed: seed of the permutations.
    """
    tasks, seeds = len(ranks), len(ranks[0])
    orders = stats.rankdata(np.asarray(ranks, dtype=float).reshape(tasks * seeds, -1), axis=1)
    centred = orders - orders.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    units = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    correlations = (units @ units.T).reshape(tasks, seeds, tasks, seeds)
    rng = np.random.default_rng(seed)
    observed = _within_less_between(correlations, np.tile(np.arange(tasks)[:, None], (1, seeds)))
    permuted = (
        _within_less_between(correlations, rng.permuted(np.tile(np.arange(tasks)[:, None], (1, seeds)), axis=0))
        for _ in range(TASK_PERMUTATIONS)
    )
    as_extreme = sum(difference >= observed - 1e-12 for difference in permuted)
    return TaskEffect(difference=observed, p=(as_extreme + 1) / (TASK_PERMUTATIONS + 1))


def _within_less_between(correlations: Matrix, assignment: NDArray[np.int64]) -> float:
    """Mean correlation within the rows of `assignment` less that between them, over pairs of different seeds.

    The correlations between rows are all others: each search is in one row, whatever the assignment.

    Args:
        correlations: correlations between searches, shape (tasks, seeds, tasks, seeds).
        assignment: which task's search is assigned to each task and seed, shape (tasks, seeds).
    """
    tasks, seeds = assignment.shape
    one, other = np.nonzero(~np.eye(seeds, dtype=bool))
    within = correlations[assignment[:, one], one, assignment[:, other], other]
    between = correlations[:, one, :, other].sum() - within.sum()
    return float(within.mean() - between / (within.size * (tasks - 1)))
