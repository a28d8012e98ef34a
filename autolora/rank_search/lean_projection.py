"""A projection with its selective update in few operations, derivatives included, which a GPU launches one by one.

With E = diag(s alpha) V, Eq. 2's components weighted before x comes to them, y = x W^T + b + (x E^T) U^T. For a loss with
gradient g by y, the gradients by x, E and U are

    g W + (g U) E,    (g U)^T x,    g^T (x E^T),

products again, and so are theirs: torch would compose both, with a cast of every factor and every result under autocast.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from autolora.adapters.layers import by_components


def lean_projection(x: Tensor, base: nn.Linear, down: Tensor, up: Tensor, gate: Tensor) -> Tensor:
    """As `by_components` but for rounding, with its arguments (`layers.Compute`).

    Where base is frozen it can be differentiated twice and no further; where it is not, this is `by_components`.
    """
    if type(base) is not nn.Linear or base.weight.requires_grad:
        return by_components(x, base, down, up, gate)
    kind = x.device.type
    lower = torch.is_autocast_enabled(kind) and x.dtype != torch.float64
    dtype = torch.get_autocast_dtype(kind) if lower else x.dtype
    rows = x.to(dtype).reshape(-1, x.shape[-1])
    weight, bias, weighted, up = (
        None if one is None else one.to(dtype) for one in (base.weight, base.bias, gate.unsqueeze(1) * down, up)
    )
    projected: Tensor = _Projection.apply(rows, weight, bias, weighted, up)  # type: ignore[no-untyped-call]
    return projected.view(*x.shape[:-1], -1)


class _Projection(torch.autograd.Function):
    """Of x (rows, n), W (m, n), b (m,), E (k, n) and U (m, k)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *factors: Tensor) -> Tensor:
        weighted, up = factors
        inner = x @ weighted.T
        ctx.save_for_backward(x, weight, weighted, up, inner)
        return nn.functional.linear(x, weight, bias).addmm_(inner, up.T)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        by_x, by_weighted, by_up = _ProjectionBackward.apply(gradient, *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return by_x, None, None, by_weighted, by_up


class _ProjectionBackward(torch.autograd.Function):
    """The gradients by x, E and U."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gradient, x, weight, weighted, up, inner = given
        by_inner = gradient @ up
        ctx.save_for_backward(*given, by_inner)
        return (gradient @ weight).addmm_(by_inner, weighted), by_inner.T @ x, gradient.T @ inner

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, h_x: Tensor, h_weighted: Tensor, h_up: Tensor) -> Any:
        """Of <h_x, by x> + <h_weighted, by E> + <h_up, by U>."""
        gradient, x, weight, weighted, up, inner, by_inner = ctx.saved_tensors
        along_inner = gradient @ h_up
        along_by_inner = (x @ h_weighted.T).addmm_(h_x, weighted.T)
        return (
            (h_x @ weight.T).addmm_(along_by_inner, up.T).addmm_(inner, h_up.T),
            (along_inner @ weighted).addmm_(by_inner, h_weighted),
            None,
            (along_inner.T @ x).addmm_(by_inner.T, h_x),
            gradient.T @ along_by_inner,
            None,
        )
