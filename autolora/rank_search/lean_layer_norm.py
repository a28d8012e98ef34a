"""Layer norm whose second derivative is few operations: torch composes it of sixty, which a GPU launches one by one.

With x' = (x - mean) / s the normalised row, s its standard deviation, and P u = u - mean(u) - x' mean(u x') the
projection that leaves out a row's mean and x', the gradient by x of a loss with gradient u (by x', the weight included)
is g = P u / s. P is symmetric, so that for any h

    <h, g>'s gradient by u is P h / s,                                        which is layer norm's own gradient, of h
    <h, g>'s gradient by x is -(mean(h g) x' + mean(h x') g + mean(u x') P h / s) / s.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LeanLayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` with frozen weights over the last dimension, which can be differentiated twice and no further."""

    def __init__(self, base: nn.LayerNorm) -> None:
        """Args: base: shares its weights, and stays as it is."""
        super().__init__(base.normalized_shape, base.eps, device="meta")
        self.weight, self.bias = base.weight, base.bias

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (..., n) -> (..., n); in float32 under autocast, as torch's own is."""
        if torch.is_autocast_enabled(x.device.type) and x.dtype != torch.float64:
            x = x.float()
        normed: Tensor = _LayerNorm.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        return normed


def use_lean_layer_norm(model: nn.Module) -> None:
    """Put a `LeanLayerNorm` in place of every layer norm of model that it can stand for, in place."""
    for name, module in list(model.named_modules()):
        if type(module) is nn.LayerNorm and len(module.normalized_shape) == 1 and _is_frozen(module):
            model.set_submodule(name, LeanLayerNorm(module).train(module.training))


def _is_frozen(module: nn.LayerNorm) -> bool:
    weights = (module.weight, module.bias)
    return all(weight is not None and not weight.requires_grad for weight in weights)


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        normed, mean, rate = torch.native_layer_norm(x, weight.shape, weight, bias, eps)
        ctx.save_for_backward(x, mean, rate, weight)
        return normed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _LayerNormBackward.apply(gradient, *ctx.saved_tensors), None, None, None  # type: ignore[no-untyped-call]


class _LayerNormBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:
        by_x = _by_x(*given)
        ctx.save_for_backward(*given, by_x)
        return by_x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, h: Tensor) -> Any:
        gradient, x, mean, rate, weight, by_x = ctx.saved_tensors
        normed = (x - mean) * rate
        own = _by_x(h, x, mean, rate, None)
        along_h = (h * normed).mean(-1, keepdim=True)
        along_gradient = (gradient * weight * normed).mean(-1, keepdim=True)
        by_x_again = (h * by_x).mean(-1, keepdim=True) * normed
        by_x_again.addcmul_(along_h, by_x).addcmul_(along_gradient, own).mul_(-rate)
        return own * weight, by_x_again, None, None, None


def _by_x(gradient: Tensor, x: Tensor, mean: Tensor, rate: Tensor, weight: Tensor | None) -> Tensor:
    """Layer norm's gradient by its input; rate is 1 / s."""
    backward = torch.ops.aten.native_layer_norm_backward
    by_x: Tensor = backward(gradient, x, x.shape[-1:], mean, rate, weight, None, [True, False, False])[0]
    return by_x
