"""Projections that compute query, key and value with one matrix: split for training, joined again for export.

GPT-2's `c_attn` and ModernBERT's `Wqkv` stack the three blocks of rows. After the split, query and value are separate
modules with separate ranks; the outputs stay the same. An adapter that was trained on the split model is exported as
one LoRA of rank r_q + r_v on the unsplit model.
"""

import copy
from collections.abc import Iterator

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from autolora.adapters.projections import SPLITTABLE
from autolora.adapters.ranks import exact_key, exact_targets

ROLES = ("query", "key", "value")


class SplitProjection(nn.Module):
    """Three linear projections instead of a fused one; the output is the concatenation of their outputs."""

    def __init__(self, fused: nn.Linear | Conv1D) -> None:
        super().__init__()
        self.transposed = isinstance(fused, Conv1D)
        weight = fused.weight.T if self.transposed else fused.weight
        biases = fused.bias.chunk(len(ROLES)) if fused.bias is not None else [None] * len(ROLES)
        self.query, self.key, self.value = (
            _linear(rows, bias) for rows, bias in zip(weight.chunk(len(ROLES)), biases, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (..., n) -> (..., 3 m)."""
        return torch.cat([self.query(x), self.key(x), self.value(x)], dim=-1)

    @torch.no_grad()
    def joined(self) -> nn.Linear | Conv1D:
        """The equivalent fused projection."""
        parts = (self.query, self.key, self.value)
        weight = torch.cat([part.weight for part in parts])
        has_bias = self.query.bias is not None
        fused: nn.Linear | Conv1D
        if self.transposed:
            fused = Conv1D(*weight.shape)  # type: ignore[no-untyped-call]
            fused.weight = nn.Parameter(weight.T.contiguous())
            fused.bias = nn.Parameter(torch.cat([part.bias for part in parts]))
        else:
            fused = _linear(weight, torch.cat([part.bias for part in parts]) if has_bias else None)
        return fused


def split_fused(model: nn.Module) -> None:
    """Split every fused query-key-value projection of model, in place; a model without any is left unchanged."""
    for name, module in list(model.named_modules()):
        if name.rpartition(".")[2] in SPLITTABLE and isinstance(module, nn.Linear | Conv1D) and _is_threefold(module):
            model.set_submodule(name, SplitProjection(module))


def join_fused(model: nn.Module) -> None:
    """Undo `split_fused`, in place."""
    for name, module in list(_split_projections(model)):
        model.set_submodule(name, module.joined())


def export(model: PeftModel) -> PeftModel:
    """The adapter converted to the unsplit model, with the same outputs; `save_pretrained` then writes it for plain PEFT.

    On a fused projection, the query's and the value's updates become one LoRA of rank r_q + r_v. Its B (3 m, r_q + r_v)
    has the query's columns in the query's rows and the value's columns in the value's rows; the scalings are folded
    into B, so that PEFT's scaling is 1. A model without fused projections is returned unchanged.

    Args:
        model: a PEFT model with a LoRA adapter; it is left unchanged.
    """
    split = dict(_split_projections(model.get_base_model()))
    if not split:
        return model
    updates = {name: update for name, module in split.items() if (update := _joint_update(module))}
    config = model.peft_config["default"]
    base = copy.deepcopy(model).unload()
    join_fused(base)
    ranks = {exact_key(name): len(down) for name, (down, _) in updates.items()}
    joined = get_peft_model(
        base,
        LoraConfig(
            r=max(ranks.values()),
            lora_alpha=max(ranks.values()),
            target_modules=exact_targets([*updates], [name for name, _ in base.named_modules()]),
            rank_pattern=ranks,
            alpha_pattern=ranks,
            fan_in_fan_out=any(module.transposed for module in split.values()),
            modules_to_save=config.modules_to_save,
            task_type=config.task_type,
        ),
    )
    for name, (down, up) in updates.items():
        layer = joined.get_base_model().get_submodule(name)
        with torch.no_grad():
            layer.lora_A["default"].weight.copy_(down)
            layer.lora_B["default"].weight.copy_(up)
    return joined.train(model.training)


def _joint_update(module: SplitProjection) -> tuple[Tensor, Tensor] | None:
    """The updates of a split projection as one update, A (r, n) and B (3 m, r); None if it has no update."""
    downs, ups = [], []
    for block, role in enumerate(ROLES):
        layer = getattr(module, role)
        if isinstance(layer, LoraLayer):
            down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            rows = up.new_zeros(len(ROLES) * len(up), up.shape[1])
            rows[block * len(up) : (block + 1) * len(up)] = layer.scaling["default"] * up.detach()
            downs.append(down.detach())
            ups.append(rows)
    return (torch.cat(downs), torch.cat(ups, dim=1)) if downs else None


def _split_projections(model: nn.Module) -> Iterator[tuple[str, SplitProjection]]:
    return ((name, module) for name, module in model.named_modules() if isinstance(module, SplitProjection))


def _is_threefold(fused: nn.Linear | Conv1D) -> bool:
    inputs, outputs = fused.weight.shape if isinstance(fused, Conv1D) else reversed(fused.weight.shape)
    return bool(outputs == len(ROLES) * inputs)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().contiguous())
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone())
    return linear
