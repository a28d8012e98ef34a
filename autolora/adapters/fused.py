"""Projections that compute query, key and value with one matrix: split for training, joined again for export.

GPT-2's `c_attn` and ModernBERT's `Wqkv` stack the three blocks of rows. After the split, query and value are separate
modules with separate ranks; the outputs stay the same. An adapter that was trained on the split model is exported as
one LoRA of rank r_q + r_v on the unsplit model.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from autolora.adapters.projections import SPLITTABLE, features
from autolora.adapters.ranks import exact_key, exact_targets
from autolora.adapters.targets import matcher
from autolora.compute.half_precision import trained_dtype
from autolora.problem import Targets

ROLES = ("query", "key", "value")
LOADED = "_is_hf_initialized"
"""transformers' mark on a parameter that it has loaded from a checkpoint, or tied."""

_THIRDS = frozenset(
    (
        "modeling_decision_transformer.DecisionTransformerGPT2Attention",
        "modeling_dbrx.DbrxAttention",
        "modeling_gpt2.GPT2Attention",
        "modeling_imagegpt.ImageGPTAttention",
        "modeling_modernbert.ModernBertAttention",
        "modeling_mpt.MptAttention",
        "modeling_openai.Attention",
    )
)
"""Attention modules of transformers whose fused projection computes all queries, then all keys, then all values."""

_CARRIED = frozenset(
    [
        "r",
        "lora_alpha",
        "rank_pattern",
        "alpha_pattern",
        "use_rslora",
        "init_lora_weights",
        "target_modules",
        "exclude_modules",
        "layers_to_transform",
        "layers_pattern",
        "fan_in_fan_out",
        "bias",
        "modules_to_save",
        "task_type",
        "inference_mode",
        "lora_dropout",
        "eva_config",
        "peft_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "runtime_config",
    ]
)
"""Fields of `LoraConfig` that an export carries over, or that do not change what a trained adapter computes."""
_KEEPS_THE_BASE = (True, False, "gaussian", "orthogonal", "eva")
"""Values of `init_lora_weights` that leave the base model's weights unchanged."""


class SplitProjection(nn.Module):
    """Three linear projections instead of a fused one; the output is the concatenation of their outputs."""

    def __init__(self, fused: nn.Linear | Conv1D) -> None:
        super().__init__()
        self.transposed = isinstance(fused, Conv1D)
        self.dtype = fused.weight.dtype
        weight = fused.weight.T if self.transposed else fused.weight
        biases = fused.bias.chunk(len(ROLES)) if fused.bias is not None else [None] * len(ROLES)
        self.query, self.key, self.value = (
            _linear(rows, bias) for rows, bias in zip(weight.chunk(len(ROLES)), biases, strict=True)
        )
        for part in self.parameters():
            setattr(part, LOADED, getattr(fused.weight, LOADED, False))

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (..., n) -> (..., 3 m)."""
        return torch.cat([self.query(x), self.key(x), self.value(x)], dim=-1)

    @torch.no_grad()
    def joined(self) -> nn.Linear | Conv1D:
        """The equivalent fused projection; in half precision again where `train_in_float32` made the parts float32."""
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
        return fused.to(self.dtype) if weight.dtype == trained_dtype(self.dtype) else fused


def split_fused(model: nn.Module, targets: Targets | None = None) -> None:
    """Split the fused query-key-value projections of model, in place; a model without any is left unchanged.

    With targets, those are split of which targets selects a part ("query", "c_attn.value"), and not the whole.

    A projection is split only where the module that contains it is known to lay its outputs out as query, key, value,
    one third each: name and shape do not tell, since GPT-BigCode interleaves the heads in a `c_attn` of the same shape.
    """
    is_selected = None if targets is None else matcher(model, targets)
    for name, module in list(model.named_modules()):
        parent, _, last = name.rpartition(".")
        fused = last in SPLITTABLE and isinstance(module, nn.Linear | Conv1D) and _is_threefold(module)
        if fused and _lays_out_thirds(model.get_submodule(parent)) and _is_wanted_split(name, is_selected):
            model.set_submodule(name, SplitProjection(module))


def join_fused(model: nn.Module) -> None:
    """Undo `split_fused`, in place."""
    for name, module in list(_split_projections(model)):
        model.set_submodule(name, module.joined())


def export(model: PeftModel) -> PeftModel:
    """The adapter converted to the unsplit model, with equal outputs; `save_pretrained` then writes it for plain PEFT.

    On a fused projection, the query's and the value's updates become one LoRA of rank r_q + r_v. Its B (3 m, r_q + r_v)
    has the query's columns in the query's rows and the value's columns in the value's rows; the scalings are folded
    into B, so that PEFT's scaling is 1. LoRA of other linear layers, trained biases and modules trained in full are
    carried over. A model without fused projections is returned unchanged.

    Args:
        model: a PEFT model with a LoRA adapter; it is left unchanged.

    Raises:
        ValueError: the adapter uses an option that changes what it computes and that cannot be carried over.
    """
    split = dict(_split_projections(model.get_base_model()))
    if not split:
        return model
    _refuse_what_is_not_carried(model)
    updates = _updates(model.get_base_model(), split)
    config = model.peft_config["default"]
    base = copy.deepcopy(model).unload()
    join_fused(base)
    ranks = {exact_key(name): len(update.down) for name, update in updates.items()}
    joined = get_peft_model(
        base,
        LoraConfig(
            r=max(ranks.values()),
            lora_alpha=max(ranks.values()),
            target_modules=exact_targets([*updates], [name for name, _ in base.named_modules()]),
            rank_pattern=ranks,
            alpha_pattern={exact_key(name): len(update.down) * update.scaling for name, update in updates.items()},
            fan_in_fan_out=any(isinstance(base.get_submodule(name), Conv1D) for name in updates),
            bias=config.bias,
            modules_to_save=config.modules_to_save,
            task_type=config.task_type,
        ),
    )
    _set_factors(joined.get_base_model(), updates)
    return joined.train(model.training)


@dataclass(frozen=True)
class _Update:
    """LoRA's update of one linear layer of the unsplit model: scaling * up @ down."""

    down: Tensor
    """A, shape (r, n)."""
    up: Tensor
    """B, shape (m, r)."""
    scaling: float = 1


def _refuse_what_is_not_carried(model: PeftModel) -> None:
    """Raises ValueError: the adapter is not a single plain LoRA; the message names the option."""
    if [*model.peft_config] != ["default"]:
        raise ValueError(f"export needs one adapter, named 'default'; got {', '.join(map(repr, model.peft_config))}")
    config, plain = model.peft_config["default"], LoraConfig()
    if type(config) is not LoraConfig:
        raise ValueError(f"export needs an adapter of LoraConfig; got {type(config).__name__}")
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name not in _CARRIED and value != getattr(plain, field.name):
            raise ValueError(f"export cannot carry {field.name} over to the unsplit model; got {value!r}")
    if config.init_lora_weights not in _KEEPS_THE_BASE:
        raise ValueError(
            f"export needs init_lora_weights that leave the base model's weights unchanged; "
            f"got {config.init_lora_weights!r}"
        )
    for name, module in model.get_base_model().named_modules():
        if isinstance(module, LoraLayer) and module.merged:
            raise ValueError(f"export needs updates that are not merged; {name} is: call unmerge_adapter() first")
        if isinstance(module, SplitProjection):
            saved = [role for role in ROLES if isinstance(getattr(module, role), ModulesToSaveWrapper)]
            if saved:
                raise ValueError(f"export cannot carry modules_to_save of a part of {name}; got {', '.join(saved)}")


@torch.no_grad()
def _set_factors(model: nn.Module, updates: Mapping[str, _Update]) -> None:
    for name, update in updates.items():
        layer: Any = model.get_submodule(name)
        layer.lora_A["default"].weight.copy_(update.down)
        layer.lora_B["default"].weight.copy_(update.up)


def _updates(model: nn.Module, split: Mapping[str, SplitProjection]) -> dict[str, _Update]:
    """Name in the unsplit model -> update, in the model's order."""
    updates: dict[str, _Update] = {}
    for name, module in model.named_modules():
        if name in split:
            joint = _joint_update(split[name])
            updates |= {name: _Update(*joint)} if joint else {}
        elif isinstance(module, LoraLayer) and name.rpartition(".")[0] not in split:
            if not isinstance(module.get_base_layer(), nn.Linear | Conv1D):
                kind = type(module.get_base_layer()).__name__
                raise ValueError(f"export carries LoRA on linear layers only; target_modules has {name}, a {kind}")
            factors = (module.lora_A["default"].weight.detach(), module.lora_B["default"].weight.detach())
            updates[name] = _Update(*factors, module.scaling["default"])
    return updates


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
    outputs, inputs = features(fused)
    return bool(outputs == len(ROLES) * inputs)


def _is_wanted_split(name: str, is_selected: Callable[[str], bool] | None) -> bool:
    if is_selected is None:
        return True
    return not is_selected(name) and any(is_selected(f"{name}.{role}") for role in ROLES)


def _lays_out_thirds(owner: nn.Module) -> bool:
    """Whether the class of an attention module, or one that it inherits from, is a known one."""
    names = {f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}" for kind in type(owner).__mro__}
    return not names.isdisjoint(_THIRDS)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().contiguous())
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone())
    return linear
