"""Layer norm with a second derivative of few operations; torch composes it of sixty, each a separate kernel launch.

With x' = (x - mean) / s the normalised row, s its standard deviation, and P u = u - mean(u) - x' mean(u x') the
projection that removes a row's mean and its component along x', the gradient by x of a loss with gradient u (by x', the
weight included) is g = P u / s. P is symmetric, so that for any h

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
        """Args: base: shares its weights with this module, and is left unchanged."""
        super().__init__(base.normalized_shape, base.eps, device="meta")
        self.weight, self.bias = base.weight, base.bias

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (..., n) -> (..., n); in float32 under autocast, like `nn.LayerNorm`."""
        if torch.is_autocast_enabled(x.device.type) and x.dtype != torch.float64:
            x = x.float()
        normed: Tensor = _LayerNorm.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        return normed


def use_lean_layer_norm(model: nn.Module) -> None:
    """Replace every frozen layer norm over the last dimension by a `LeanLayerNorm`, in place."""
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
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        by_x = _input_gradient(*inputs)
        ctx.save_for_backward(*inputs, by_x)
        return by_x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, h: Tensor) -> Any:
        gradient, x, mean, rate, weight, by_x = ctx.saved_tensors
        normed = (x - mean) * rate
        projected_h = _input_gradient(h, x, mean, rate, None)
        along_h = (h * normed).mean(-1, keepdim=True)
        along_gradient = (gradient * weight * normed).mean(-1, keepdim=True)
        second_by_x = (h * by_x).mean(-1, keepdim=True) * normed
        second_by_x.addcmul_(along_h, by_x).addcmul_(along_gradient, projected_h).mul_(-rate)
        return projected_h * weight, second_by_x, None, None, None


def _input_gradient(gradient: Tensor, x: Tensor, mean: Tensor, rate: Tensor, weight: Tensor | None) -> Tensor:
    """Layer norm's gradient by its input; rate is 1 / s."""
    backward = torch.ops.aten.native_layer_norm_backward
    by_x: Tensor = backward(gradient, x, x.shape[-1:], mean, rate, weight, None, [True, False, False])[0]
    return by_x
