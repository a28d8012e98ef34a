"""Faster linear layers: for bfloat16, frozen weights are cast once; for float32, oneDNN computes the products."""

from collections.abc import Callable

import torch
from torch import nn

from autolora.compute.onednn import use_onednn
from autolora.compute.runtime import Runtime


def fast_linear(model: nn.Module, runtime: Runtime) -> Callable[[], None]:
    """Apply `use_onednn` (fp32) or `cast_frozen` (bf16) to model, in place; returns a function that restores it."""
    return use_onednn(model, runtime) if runtime.precision == "fp32" else cast_frozen(model, runtime)


def cast_frozen(model: nn.Module, runtime: Runtime) -> Callable[[], None]:
    """Cast the frozen weights of linear modules once, as autocast would in every pass; no result changes.

    Args:
        model: changed in place.
        runtime: weights are cast to bfloat16 if its precision is "bf16"; otherwise the model is left unchanged.

    Returns:
        A function that restores the original weights.
    """
    originals: list[tuple[nn.Module, str, nn.Parameter]] = []
    if runtime.precision == "bf16":
        for module in model.modules():
            if isinstance(module, nn.Linear):
                for name, weight in module.named_parameters(recurse=False):
                    if not weight.requires_grad and weight.dtype == torch.float32:
                        originals.append((module, name, weight))
                        setattr(module, name, nn.Parameter(weight.to(torch.bfloat16), requires_grad=False))

    def restore() -> None:
        for module, name, weight in originals:
            setattr(module, name, weight)

    return restore
