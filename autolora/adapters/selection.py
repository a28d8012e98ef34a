"""Selection variables: from what is learned (logits, beta) to what multiplies rank-1 components (alpha).

AutoLoRA, arXiv:2403.09113: softmax is section 4.2 (Eq. 3), the other two are the ablations of section 5.5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Parameterisation:
    """How selection variables come from their logits, and from which value on a component is kept."""

    select: Callable[[Tensor], Tensor]
    """Logits, shape (k,) -> selection variables, shape (k,)."""
    threshold: Callable[[Tensor], Tensor]
    """Selection variables, shape (k,) -> the least value at which a component is kept, a scalar (section 4.4)."""
    initial_logit: Callable[[int], float] = lambda max_rank: 0.0  # noqa: ARG005
    """k -> the value that every logit starts from; the paper leaves it open, and all components start equal."""


PARAMETERISATIONS = MappingProxyType(
    {
        # Section 4.4: lambda = 1 / k, which keeps at least one component since the variables sum to 1.
        "softmax": Parameterisation(
            select=lambda logits: logits.softmax(0),
            threshold=lambda selection: selection.new_tensor(1 / len(selection)),
        ),
        # Section 5.5, "w/o cst.": the variables themselves are learned; lambda is their mean.
        # They start at 1 / k, as softmax does: from 0 nothing would ever be learned.
        "unconstrained": Parameterisation(
            select=lambda logits: logits,
            threshold=lambda selection: selection.mean(),
            initial_logit=lambda max_rank: 1 / max_rank,
        ),
        # Section 5.5, "sigmoid": no component need reach 0.5, so a layer can end with rank 0.
        "sigmoid": Parameterisation(select=torch.sigmoid, threshold=lambda selection: selection.new_tensor(0.5)),
    }
)
"""Name -> parameterisation."""


def parameterisation(name: str) -> Parameterisation:
    """The parameterisation of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in PARAMETERISATIONS:
        raise ValueError(f"parameterisation must be one of {', '.join(PARAMETERISATIONS)}; got {name!r}")
    return PARAMETERISATIONS[name]
