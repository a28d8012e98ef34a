"""The trained values of a stack's members, by names in the unwrapped model, and the padded LoRA layer that uses them."""

import re
from collections.abc import Mapping, Sequence

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from autolora.adapters.projections import features
from autolora.compute.half_precision import cast_input, trained_dtype


class PaddedLoRA(nn.Module):
    """`y = W x + s B A x`, with A (R, n) and B (m, R) padded with zeros to the largest rank R of a stack.

    The padding stays zero: the gradient of a row of A is a multiple of the column of B, and vice versa.
    """

    def __init__(self, base: nn.Linear | Conv1D, max_rank: int, dropout: float) -> None:
        super().__init__()
        self.base = base
        self.dropout = nn.Dropout(dropout)
        like = base.weight.new_empty(0, dtype=trained_dtype(base.weight.dtype))
        out_features, in_features = features(base)
        self.lora_A = nn.Parameter(like.new_zeros(max_rank, in_features))
        self.lora_B = nn.Parameter(like.new_zeros(out_features, max_rank))
        self.scaling = nn.Parameter(like.new_zeros(1), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """W, whose type some models read (T5)."""
        return self.base.weight

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (..., n) -> (..., m)."""
        # The components are scaled, in float32, since they are fewer than the outputs.
        components = nn.functional.linear(self.dropout(cast_input(x, self.lora_A)), self.lora_A) * self.scaling
        projected: Tensor = self.base(x)
        return projected + nn.functional.linear(components, self.lora_B).to(projected.dtype)


def member_values(model: PeftModel) -> dict[str, Tensor]:
    """A member's trainable weights and the scalings of its LoRA layers, by their names in the unwrapped model."""
    scalings = {
        f"{_unwrapped(name)}.scaling": torch.tensor(
            [module.scaling["default"]], dtype=trained_dtype(module.weight.dtype)
        )
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }
    return {name: weight.detach() for name, weight in trainable_weights(model).items()} | scalings


def stack_values(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Name -> values of all members, stacked; padded with zeros to the largest shape, all zeros if a member lacks it."""
    largest: dict[str, tuple[int, ...]] = {}
    for member in members:
        for name, value in member.items():
            shape = largest.get(name, tuple(value.shape))
            largest[name] = tuple(max(sizes) for sizes in zip(shape, value.shape, strict=True))
    return {
        name: torch.stack([_padded(member.get(name), shape) for member in members]) for name, shape in largest.items()
    }


def is_weight(name: str) -> bool:
    """Whether the value of this name is a trained weight, and not a scaling."""
    return not name.endswith(".scaling")


def trainable_weights(model: PeftModel) -> dict[str, Tensor]:
    """The trainable weights of a PEFT model, by their names in the unwrapped model."""
    return {_unwrapped(name): weight for name, weight in model.named_parameters() if weight.requires_grad}


def _unwrapped(name: str) -> str:
    """The name in the model that PEFT wraps, from the name in the PEFT model."""
    name = name.removeprefix("base_model.model.").replace(".modules_to_save.default", "")
    return re.sub(r"\.(lora_[AB])\.default\.weight$", r".\1", name)


def _padded(value: Tensor | None, shape: Sequence[int]) -> Tensor:
    """A copy of value, padded with zeros to shape; all zeros if value is None."""
    padded = torch.zeros(tuple(shape)) if value is None else value.new_zeros(tuple(shape))
    if value is not None:
        padded[tuple(slice(size) for size in value.shape)] = value
    return padded
