"""Selection variables (alpha), which weight rank-1 components, as functions of the learned logits (beta).

AutoLoRA, arXiv:2403.09113: softmax is section 4.2 (Eq. 3); unconstrained and sigmoid are the ablations of section 5.5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Parameterisation:
    """A map from logits to selection variables, and the threshold at which a component is kept."""

    select: Callable[[Tensor], Tensor]
    """Logits, shape (k,) -> selection variables, shape (k,)."""
    threshold: Callable[[Tensor], Tensor]
    """Selection variables, shape (k,) -> the smallest value at which a component is kept, a scalar (section 4.4)."""
    initial_logit: Callable[[int], float] = lambda max_rank: 0.0  # noqa: ARG005
    """k -> initial value of every logit; the paper does not specify it, and all components start equal."""


PARAMETERISATIONS = MappingProxyType(
    {
        # Section 4.4: lambda = 1 / k, which keeps at least one component since the variables sum to 1.
        "softmax": Parameterisation(
            select=lambda logits: logits.softmax(0),
            threshold=lambda selection: selection.new_tensor(1 / len(selection)),
        ),
        # Section 5.5, "w/o cst.": the variables themselves are learned; lambda is their mean.
        # They start at 1 / k, as with softmax: at 0, all gradients would be 0 and nothing would ever be learned.
        "unconstrained": Parameterisation(
            select=lambda logits: logits,
            threshold=lambda selection: selection.mean(),
            initial_logit=lambda max_rank: 1 / max_rank,
        ),
        # Section 5.5, "sigmoid": all components can stay below 0.5, so a layer can get rank 0.
        "sigmoid": Parameterisation(select=torch.sigmoid, threshold=lambda selection: selection.new_tensor(0.5)),
    }
)
"""Parameterisation name -> parameterisation."""


def parameterisation(name: str) -> Parameterisation:
    """The parameterisation of this name.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in PARAMETERISATIONS:
        raise ValueError(f"parameterisation must be one of {', '.join(PARAMETERISATIONS)}; got {name!r}")
    return PARAMETERISATIONS[name]
