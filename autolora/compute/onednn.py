"""Linear layers on a CPU by oneDNN: in float32 twice the rate of torch's own choice on an AMD processor.

Torch multiplies bfloat16 by oneDNN on its own, but float32 by MKL. What is called here is what `torch.compile` calls; it
takes weights as they are, trained ones too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula
from transformers.pytorch_utils import Conv1D

from autolora.compute.runtime import Runtime

SMALLEST = 64
"""Inputs and outputs that a layer needs for a gain; LoRA's own factors have fewer."""


def has_onednn(device: str) -> bool:
    """Whether device is a CPU and this build of torch can."""
    return torch.device(device).type == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def use_onednn(model: nn.Module, runtime: Runtime) -> Callable[[], None]:
    """Compute model's linear layers by oneDNN where the runtime asks for it; results move by rounding.

    Args:
        model: changed in place: its layers with float32 weights and at least SMALLEST inputs and outputs.
        runtime: nothing happens unless it has `onednn`, full precision and a CPU.

    Returns:
        What undoes it.
    """
    wanted = runtime.onednn and runtime.precision == "fp32" and has_onednn(runtime.device)
    layers = list(filter(_gains, model.modules())) if wanted else []
    for layer in layers:
        layer.forward = partial(_forward, layer)  # type: ignore[method-assign]

    def undo() -> None:
        for layer in layers:
            del layer.forward

    return undo


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x weight^T + bias` in float32, differentiable any number of times.

    Shapes: x (..., n), weight (m, n), bias (m,) -> (..., m).
    """
    if not x.numel():  # oneDNN knows no sum over nothing
        return nn.functional.linear(x, weight, bias)
    rows: Tensor = _Linear.apply(x.reshape(-1, x.shape[-1]), weight, bias)  # type: ignore[no-untyped-call]
    return rows.view(*x.shape[:-1], len(weight))


class _Linear(torch.autograd.Function):
    """Of x (rows, n). Bilinear: its gradients are products of the same kind, so that they have gradients too."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")  # noqa: SLF001
        return product

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:  # noqa: ARG004
        x, weight, _ = inputs
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            linear(gradient, weight.T) if of_x else None,
            linear(gradient.T, x.T) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )

    @staticmethod
    def vmap(
        _: Any, in_dims: tuple[int | None, int | None, int | None], x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, int]:
        """One product for all members of a stack where they share the weights."""
        if in_dims[0] is not None and in_dims[1:] == (None, None):
            return linear(x.movedim(in_dims[0], 0), weight, bias), 0
        return torch.vmap(nn.functional.linear, in_dims)(x, weight, bias), 0


def _forward(layer: nn.Linear | Conv1D, x: Tensor) -> Tensor:
    return linear(x, layer.weight.T if isinstance(layer, Conv1D) else layer.weight, layer.bias)


def _gains(module: nn.Module) -> TypeGuard[nn.Linear | Conv1D]:
    return (
        isinstance(module, nn.Linear | Conv1D)
        and type(module).forward in (nn.Linear.forward, Conv1D.forward)
        and module.weight.dtype == torch.float32
        and min(module.weight.shape) >= SMALLEST
        and "forward" not in vars(module)
    )


def _operations(x: torch.Size, weight: torch.Size, *_: Any, **__: Any) -> int:
    """What torch's counter does not know of its own operation: a product's multiplications and additions."""
    return 2 * x.numel() * weight[0]


if has_onednn("cpu"):
    register_flop_formula(torch.ops.mkldnn._linear_pointwise)(_operations)  # noqa: SLF001
