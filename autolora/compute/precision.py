"""What makes linear layers faster at a precision: frozen weights cast once for bfloat16, oneDNN for float32."""

from collections.abc import Callable

import torch
from torch import nn

from autolora.compute.onednn import use_onednn
from autolora.compute.runtime import Runtime


def fast_linear(model: nn.Module, runtime: Runtime) -> Callable[[], None]:
    """Change model, in place, as `cast_frozen` or `use_onednn` does at the runtime's precision; returns what undoes it."""
    return use_onednn(model, runtime) if runtime.precision == "fp32" else cast_frozen(model, runtime)


def cast_frozen(model: nn.Module, runtime: Runtime) -> Callable[[], None]:
    """Replace the frozen weights of linear modules by what autocast makes of them at every pass; no bit changes.

    Args:
        model: changed in place.
        runtime: its precision is the one to cast to; nothing happens at full precision.

    Returns:
        What puts the original weights back.
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
