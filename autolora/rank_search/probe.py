"""Checks the sign and the size of a hypergradient's second-order term against finite differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autolora.compute.random_state import RandomState
from autolora.rank_search.bilevel import Bilevel, global_norm
from autolora.rank_search.hypergradient import Engine, finite_difference


@dataclass(frozen=True, kw_only=True)
class Probe:
    """An engine's second-order term, compared with central differences on the same batches and dropout masks."""

    cosine: float
    """Cosine between the engine's term and the central differences, over all layers; -1 if the sign is wrong."""
    size: float
    """Norm of the engine's term divided by the norm of the central differences."""
    share: float
    """Norm of the engine's term divided by the norm of the direct term."""


def probe(engine: Engine, problem: Bilevel, eta: float) -> Probe | None:
    """Compare an engine with central differences; the random state is left unchanged.

    Args:
        engine: the engine to check.
        problem: losses, weights and logits.
        eta: the engine's eta.

    Returns:
        None if there is nothing to compare: at eta = 0, or if the central differences are zero.
    """
    random_state = RandomState.now(problem.weights[0].device)
    with random_state.replay():
        found = engine(problem, eta)
    with random_state.replay():
        differences = finite_difference(problem, eta)
    expected = [-eta * second for second in differences.second_order or ()]
    if not expected or not (expected_norm := global_norm(expected)):
        return None
    added = [total - direct for total, direct in zip(found.total, found.direct, strict=True)]
    norm = global_norm(added)
    return Probe(
        cosine=_inner_product(added, expected) / (norm * expected_norm) if norm else 0.0,
        size=norm / expected_norm,
        share=norm / found.direct_norm if found.direct_norm else float("inf"),
    )


def _inner_product(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    return sum(float(torch.sum(one * other)) for one, other in zip(tensors, others, strict=True))
