"""A projection and its selective update, with first and second derivatives of few operations (kernel launches).

With E = diag(s alpha) V, which weights the components of Eq. 2 before they are applied to x,
y = x W^T + b + (x E^T) U^T. For a loss with gradient g by y, the gradients by x, E and U are

    g W + (g U) E,    (g U)^T x,    g^T (x E^T),

which are matrix products, and so are their gradients. Torch would compose both of more operations, with a cast of every
factor and every result under autocast.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.pytorch_utils import Conv1D

from autolora.adapters.layers import by_components


def lean_projection(x: Tensor, base: nn.Linear | Conv1D, down: Tensor, up: Tensor, gate: Tensor) -> Tensor:
    """The result of `by_components` up to rounding, with the same arguments (`layers.Compute`).

    With a frozen base it can be differentiated twice and no further; otherwise, and if the base is in half precision,
    `by_components` itself is called.
    """
    device_type = x.device.type
    autocast = torch.is_autocast_enabled(device_type) and x.dtype != torch.float64
    in_one_type = autocast or x.dtype == down.dtype
    if type(base) is not nn.Linear or base.weight.requires_grad or not in_one_type:
        return by_components(x, base, down, up, gate)
    dtype = torch.get_autocast_dtype(device_type) if autocast else x.dtype
    rows = x.to(dtype).reshape(-1, x.shape[-1])
    weight, bias, weighted, up = (
        None if tensor is None else tensor.to(dtype)
        for tensor in (base.weight, base.bias, gate.unsqueeze(1) * down, up)
    )
    projected: Tensor = _Projection.apply(rows, weight, bias, weighted, up)  # type: ignore[no-untyped-call]
    return projected.view(*x.shape[:-1], -1)


class _Projection(torch.autograd.Function):
    """y of x (rows, n), W (m, n), b (m,), E (k, n) and U (m, k)."""

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
    """The gradients of the loss by x, E and U."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gradient, x, weight, weighted, up, inner = inputs
        by_inner = gradient @ up
        ctx.save_for_backward(*inputs, by_inner)
        return (gradient @ weight).addmm_(by_inner, weighted), by_inner.T @ x, gradient.T @ inner

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, h_x: Tensor, h_weighted: Tensor, h_up: Tensor) -> Any:
        """The gradients of <h_x, gradient by x> + <h_weighted, gradient by E> + <h_up, gradient by U>."""
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
