"""Whether several searches agree on where ranks are high: Kendall's W, compared with chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

if TYPE_CHECKING:
    from autolora.finding.found_ranks import FoundRanks

PERMUTATIONS = 9999
"""Number of permutations of the test."""
LEVEL = 0.05
"""P value below which ranks count as learned."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How similarly several searches order the layers by rank."""

    w: float
    """Kendall's coefficient of concordance, corrected for ties: 1 for identical orders, 1/searches by chance."""
    p: float
    """P value of the permutation test: share of random orders with at least this W."""
    searches: int
    """Number of searches."""

    def __str__(self) -> str:
        """A sentence with both, and what follows."""
        numbers = f"W {self.w:.2f} over {self.searches} searches, by chance {1 / self.searches:.2f}, p {self.p:.4f}"
        if self.p < LEVEL:
            return f"The searches agree on which layers get high ranks ({numbers})."
        return (
            f"The ranks cannot be distinguished from noise ({numbers}): search longer, or use one rank for all layers."
        )


def agreement(found: Sequence["FoundRanks"]) -> Agreement | None:
    """Kendall's W of several searches of the same layers, which differ in their seed, with a permutation test.

    Args:
        found: results of `find_ranks` with different seeds; five or more say something.

    Returns:
        None where there are fewer than two searches, or one of them gives all layers the same rank.

    Raises:
        ValueError: the searches are of different layers.
    """
    layers = [*found[0].ranks] if found else []
    if any([*each.ranks] != layers for each in found):
        raise ValueError("agreement compares searches of the same layers; these are of different ones")
    return concordance([[*each.ranks.values()] for each in found])


def concordance(ranks: Sequence[Sequence[float]], *, seed: int = 0) -> Agreement | None:
    """Kendall's W with a permutation test that shuffles each search's ranks over its layers.

    Args:
        ranks: shape (searches, layers), with at least two layers.
        seed: seed of the permutations.

    Returns:
        None where there are fewer than two searches, or a search gives all layers the same rank.
    """
    matrix = np.asarray(ranks, dtype=float)
    if len(matrix) < 2 or any(len(set(row)) == 1 for row in matrix.tolist()):
        return None
    rng = np.random.default_rng(seed)
    orders = stats.rankdata(matrix, axis=1)
    shuffled = rng.permuted(np.tile(orders, (PERMUTATIONS, 1, 1)), axis=2)
    # W is a linear function of the variance of the layers' mean ranks; its other terms do not change by shuffling.
    as_extreme = shuffled.mean(axis=1).var(axis=1) >= orders.mean(axis=0).var() - 1e-12
    p = (int(as_extreme.sum()) + 1) / (PERMUTATIONS + 1)
    return Agreement(w=kendalls_w(matrix), p=p, searches=len(matrix))


def kendalls_w(matrix: NDArray[np.float64]) -> float:
    """Kendall's W of a matrix of shape (searches, layers), corrected for ties."""
    searches, layers = matrix.shape
    orders = stats.rankdata(matrix, axis=1)
    between = ((orders.sum(axis=0) - searches * (layers + 1) / 2) ** 2).sum()
    ties = sum(
        float((counts**3 - counts).sum()) for counts in (np.unique(row, return_counts=True)[1] for row in matrix)
    )
    return float(12 * between / (searches**2 * (layers**3 - layers) - searches * ties))
