"""Linear layers on a CPU by oneDNN: in float32 faster than torch's default (MKL) on AMD processors with AVX-512.

By default torch multiplies bfloat16 matrices by oneDNN, but float32 matrices by MKL. The operator called here is the one
that `torch.compile` calls; it needs no prepacked weights, so that weights can be trained.
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
"""Minimum number of inputs and of outputs for which a layer is faster; LoRA's factors have fewer."""


def has_onednn(device: str) -> bool:
    """Whether device is a CPU and this build of torch has the oneDNN operator."""
    return torch.device(device).type == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def is_onednn_faster(device: str, precision: str) -> bool:
    """Whether linear layers are expected to be faster by oneDNN than by MKL, from the CPU's instruction set.

    A training step of LoRA in float32 takes 0.7 of its time with oneDNN on an AMD EPYC with AVX-512, and 1.28 of it on
    one with AVX2 alone (MiniLM-L6, torch 2.13.0).
    """
    return precision == "fp32" and has_onednn(device) and torch.backends.cpu.get_cpu_capability() == "AVX512"


def use_onednn(model: nn.Module, runtime: Runtime) -> Callable[[], None]:
    """Compute model's linear layers by oneDNN if the runtime asks for it; results change by rounding errors only.

    Args:
        model: changed in place: its layers with float32 weights and at least SMALLEST inputs and outputs.
        runtime: the model is left unchanged unless it has `onednn`, precision "fp32" and a CPU.

    Returns:
        A function that restores the model.
    """
    wanted = runtime.onednn and runtime.precision == "fp32" and has_onednn(runtime.device)
    layers = list(filter(_is_faster, model.modules())) if wanted else []
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
    if not x.numel():  # oneDNN refuses empty tensors
        return nn.functional.linear(x, weight, bias)
    rows: Tensor = _Linear.apply(x.reshape(-1, x.shape[-1]), weight, bias)  # type: ignore[no-untyped-call]
    return rows.view(*x.shape[:-1], len(weight))


class _Linear(torch.autograd.Function):
    """Linear layer of x (rows, n). It is bilinear: its gradients are again `linear`, and thus differentiable."""

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
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            linear(gradient, weight.T) if needs_x else None,
            linear(gradient.T, x.T) if needs_weight else None,
            gradient.sum(0) if needs_bias else None,
        )

    @staticmethod
    def vmap(
        _: Any, in_dims: tuple[int | None, int | None, int | None], x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, int]:
        """One matrix product for all members of a stack if they share weight and bias."""
        if in_dims[0] is not None and in_dims[1:] == (None, None):
            return linear(x.movedim(in_dims[0], 0), weight, bias), 0
        return torch.vmap(nn.functional.linear, in_dims)(x, weight, bias), 0


def _forward(layer: nn.Linear | Conv1D, x: Tensor) -> Tensor:
    return linear(x, layer.weight.T if isinstance(layer, Conv1D) else layer.weight, layer.bias)


def _is_faster(module: nn.Module) -> TypeGuard[nn.Linear | Conv1D]:
    return (
        isinstance(module, nn.Linear | Conv1D)
        and type(module).forward in (nn.Linear.forward, Conv1D.forward)
        and module.weight.dtype == torch.float32
        and min(module.weight.shape) >= SMALLEST
        and "forward" not in vars(module)
    )


def _operations(x: torch.Size, weight: torch.Size, *_: Any, **__: Any) -> int:
    """Floating-point operations of the product, which torch's FLOP counter lacks for this operator."""
    return 2 * x.numel() * weight[0]


if has_onednn("cpu"):
    register_flop_formula(torch.ops.mkldnn._linear_pointwise)(_operations)  # noqa: SLF001
