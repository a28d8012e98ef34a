"""Float32 for what is trained on a model in half precision, whose frozen weights keep their type.

bfloat16 has 8 significant bits, which round an optimizer's steps away; float16's range is too small for AdamW's epsilon.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

_HALF = (torch.bfloat16, torch.float16)


def trained_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type of weights that are trained beside weights of this type.

    It is float32 for half precision and for the integers of quantised weights, else the same.
    """
    return torch.float32 if dtype in _HALF or not dtype.is_floating_point else dtype


def cast_input(x: Tensor, weight: Tensor) -> Tensor:
    """An input in the type of the trained weight that it meets, as PEFT does; unchanged under autocast, which casts both."""
    return x if torch.is_autocast_enabled(x.device.type) else x.to(weight.dtype)


def train_in_float32(model: nn.Module) -> None:
    """Make every trained weight of half precision float32, in place; a model without any is left unchanged.

    A module computes in one type: with one of its weights, all weights and buffers that it holds itself become float32,
    and so do its inputs. Inside a pretrained body, whose frozen modules go on in their own type, it returns that type;
    outside, as a head does, float32, so that the loss has full precision.

    Args:
        model: the weights with `requires_grad` are those that are trained.
    """
    trained = [(module, dtype) for module in model.modules() if (dtype := _trained_half(module))]
    for module, _ in trained:
        _widen(module)
    if not any(weight.dtype in _HALF for weight in model.parameters()):
        for module in model.modules():
            _widen(module)
        return
    bodies = [inner.base_model for inner in model.modules() if isinstance(inner, PreTrainedModel)]
    inside = {module for body in bodies for module in body.modules()}
    for module, dtype in trained:
        module.register_forward_pre_hook(_cast_inputs, with_kwargs=True)
        if module in inside:
            module.register_forward_hook(partial(_cast_output, dtype))


def _trained_half(module: nn.Module) -> torch.dtype | None:
    """The half-precision type of a trained weight that the module itself holds; None if it holds none."""
    own = module.parameters(recurse=False)
    return next((weight.dtype for weight in own if weight.requires_grad and weight.dtype in _HALF), None)


def _widen(module: nn.Module) -> None:
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        if tensor.dtype in _HALF:
            tensor.data = tensor.data.float()


def _cast_inputs(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    cast = partial(_cast, lambda dtype: dtype in _HALF, torch.float32)
    return tuple(map(cast, args)), {name: cast(value) for name, value in kwargs.items()}


def _cast_output(dtype: torch.dtype, _: nn.Module, __: Any, output: Any) -> Any:
    cast = partial(_cast, lambda found: found == torch.float32, dtype)
    return tuple(map(cast, output)) if type(output) is tuple else cast(output)


def _cast(is_cast: Callable[[torch.dtype], bool], dtype: torch.dtype, value: Any) -> Any:
    return value.to(dtype) if isinstance(value, Tensor) and is_cast(value.dtype) else value
