"""LoRA whose rank-1 components are weighted by selection variables (Eq. 2), around a linear projection."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from autolora.adapters.projections import Projection, features
from autolora.adapters.selection import Parameterisation
from autolora.adapters.targets import is_named
from autolora.compute.half_precision import cast_input, trained_dtype

Compute = Callable[[Tensor, nn.Linear | Conv1D, Tensor, Tensor, Tensor], Tensor]
"""x (..., n), the projection, V (k, n), U (m, k), s alpha (k,) -> y (..., m)."""


def by_components(x: Tensor, base: nn.Linear | Conv1D, down: Tensor, up: Tensor, gate: Tensor) -> Tensor:
    """The projection plus its update, computed as Eq. 2 is written."""
    update = F.linear(F.linear(cast_input(x, down), down) * gate, up)
    projected: Tensor = base(x)
    return projected + update.to(projected.dtype)


class SelectiveLoRA(nn.Module):
    """`y = W x + s U diag(alpha) V x`, s = lora_alpha / k.

    U (m, k) is `lora_B`, V (k, n) is `lora_A`, and alpha (k,) are the selection variables.

    As in LoRA, V is initialised randomly and U with zeros, so that the initial outputs are those of W; W is not copied.
    All three are float32 if W is quantised or in half precision, and outputs have the type of W's.
    """

    def __init__(
        self,
        base: nn.Linear | Conv1D,
        max_rank: int,
        lora_alpha: float,
        selection: Parameterisation,
        compute: Compute = by_components,
    ) -> None:
        """Wrap a projection.

        Args:
            base: the projection W, shape (m, n); its weights are left unchanged.
            max_rank: k, the number of rank-1 components, 1 <= k <= min(m, n).
            lora_alpha: the scaling is s = lora_alpha / k.
            selection: maps logits to selection variables.
            compute: computes y.
        """
        super().__init__()
        out_features, in_features = features(base)
        self.base = base
        self.scaling = lora_alpha / max_rank
        self.select = selection.select
        self.compute = compute
        # On the CPU, so that the initial values do not depend on the device that the model is on already.
        dtype = trained_dtype(base.weight.dtype)
        self.lora_A = nn.Parameter(torch.empty(max_rank, in_features, dtype=dtype))
        self.lora_B = nn.Parameter(torch.zeros(out_features, max_rank, dtype=dtype))
        logits = torch.full((max_rank,), selection.initial_logit(max_rank), dtype=dtype)
        self.selection_logits = nn.Parameter(logits)
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    @property
    def weight(self) -> Tensor:
        """W, whose type some models read (T5), shape (m, n), or (n, m) of a Conv1D."""
        return self.base.weight

    @property
    def selection(self) -> Tensor:
        """The selection variables alpha, shape (k,)."""
        return self.select(self.selection_logits)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (..., n) -> (..., m)."""
        return self.compute(x, self.base, self.lora_A, self.lora_B, self.scaling * self.selection)


def attach(
    model: nn.Module,
    projections: Sequence[Projection],
    max_rank: int,
    lora_alpha: float,
    selection: Parameterisation,
    *,
    compute: Compute = by_components,
) -> dict[str, SelectiveLoRA]:
    """Wrap each projection of model in a SelectiveLoRA, in place; returns projection name -> SelectiveLoRA.

    Raises:
        ValueError: max_rank is out of its range for a projection; the message names it, and model is unchanged.
    """
    for projection in projections:
        largest = min(projection.out_features, projection.in_features)
        if not 1 <= max_rank <= largest:
            raise ValueError(f"max_rank must lie in 1..{largest}, the own rank of {projection.name}; got {max_rank}")
    layers = {}
    for projection in projections:
        base = model.get_submodule(projection.name)
        if not isinstance(base, nn.Linear | Conv1D):
            raise TypeError(f"{projection.name} is a {type(base).__name__}; only linear layers can be adapted")
        layers[projection.name] = SelectiveLoRA(base, max_rank, lora_alpha, selection, compute)
        model.set_submodule(projection.name, layers[projection.name])
    return layers


def detach(model: nn.Module) -> None:
    """Remove every SelectiveLoRA from model, in place, which restores the original projections."""
    for name, module in list(model.named_modules()):
        if isinstance(module, SelectiveLoRA):
            model.set_submodule(name, module.base)


def freeze_all_but(model: nn.Module, head: Sequence[str]) -> list[nn.Parameter]:
    """Freeze all of model except the modules that head names; returns the parameters of these modules."""
    model.requires_grad_(False)
    parameters = head_parameters(model, head)
    for parameter in parameters:
        parameter.requires_grad_()
    return parameters


def head_parameters(model: nn.Module, head: Sequence[str]) -> list[nn.Parameter]:
    """Parameters of the modules that head names, without duplicates."""
    modules = [module for name, module in model.named_modules() if is_named(name, head)]
    return list(dict.fromkeys(parameter for module in modules for parameter in module.parameters()))


def count(parameters: Sequence[Tensor]) -> int:
    """Total number of elements."""
    return sum(parameter.numel() for parameter in parameters)
