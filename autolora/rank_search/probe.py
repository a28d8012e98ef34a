"""A hypergradient checked against finite differences: has its second-order term the right sign and size?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autolora.compute.random_state import RandomState
from autolora.rank_search.hypergradient import Bilevel, Engine, finite_difference, global_norm


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What an engine adds to the direct term, beside central differences on the same batches and dropout masks."""

    cosine: float
    """Between the two, over all layers: 1 where they point the same way, -1 where a sign is wrong."""
    size: float
    """Norm of the engine's over that of the differences."""
    share: float
    """Norm of the engine's over that of the direct term."""


def probe(engine: Engine, problem: Bilevel, eta: float) -> Probe | None:
    """Compare once; the random state is left as it was.

    Args:
        engine: what is checked against finite differences.
        problem: losses, weights and logits.
        eta: as in the engine.

    Returns:
        None where there is nothing to compare: at eta = 0, or where the differences are zero.
    """
    masks = RandomState.now(problem.weights[0].device)
    with masks.again():
        found = engine(problem, eta)
    with masks.again():
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
