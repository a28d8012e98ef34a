"""Finds the layers to adapt: query and value projections (section 5.1) or any linear layers, and sublayers' outputs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import nn
from transformers.pytorch_utils import Conv1D

from autolora.adapters.targets import last_name, last_names, target_names
from autolora.problem import Targets

_QUERY_VALUE = (
    ("query", "value"),  # BERT, RoBERTa, ELECTRA, XLM-RoBERTa, ViT
    ("query_proj", "value_proj"),  # DeBERTa-v2 and -v3
    ("q_proj", "v_proj"),  # Llama, Mistral, Qwen, OPT, BART
    ("q_lin", "v_lin"),  # DistilBERT, XLM
    ("q", "v"),  # T5, MPNet
)
SPLITTABLE = ("c_attn", "Wqkv")
"""Last names of fused projections whose rows are the query's, the key's and the value's, one third each."""
_FUSED = (*SPLITTABLE, "in_proj", "query_key_value", "qkv_proj", "qkv")
_SUBLAYER_OUTPUTS = (
    ("attention.output.dense", "output.dense"),  # BERT, RoBERTa, ELECTRA, DeBERTa
    ("attention.out_lin", "ffn.lin2"),  # DistilBERT
    ("self_attn.o_proj", "mlp.down_proj"),  # Llama, Mistral, Qwen
    ("self_attn.out_proj", "fc2"),  # OPT, BART
    ("attn.c_proj", "mlp.c_proj"),  # GPT-2
)

_ROLES = {name: role for pair in _QUERY_VALUE for name, role in zip(pair, ("query", "value"), strict=True)}


@dataclass(frozen=True)
class Projection:
    """One linear layer that is adapted."""

    name: str
    """Full name of the module in its model: "encoder.layer.0.attention.self.query"."""
    role: str
    """What it computes in its block: "query", "value", or, of other layers, the last part of its name: "k_proj"."""
    out_features: int
    in_features: int
    is_end: bool = False
    """Whether another module's name ends with "." and this name: PEFT would adapt it too if it were given in a list."""

    @classmethod
    def of(cls, name: str, model: nn.Module) -> Self:
        """The linear layer of a full name."""
        layer: Any = model.get_submodule(name)
        is_end = any(other.endswith(f".{name}") for other, _ in model.named_modules())
        return cls(name, _ROLES.get(last_name(name), last_name(name)), *features(layer), is_end)

    def lora_parameters(self, rank: int) -> int:
        """Number of weights of a LoRA update of this rank: rank * (in_features + out_features)."""
        return rank * (self.in_features + self.out_features)


def features(layer: nn.Linear | Conv1D) -> tuple[int, int]:
    """Number of a linear layer's outputs m, and of its inputs n."""
    return (layer.nf, layer.nx) if isinstance(layer, Conv1D) else (layer.out_features, layer.in_features)


def find_projections(
    model: nn.Module, targets: Targets | None = None, head: Sequence[str] = ()
) -> tuple[Projection, ...]:
    """The linear layers to adapt, in the model's order.

    Args:
        model: any transformer, without adapters.
        targets: as in `Problem`; None finds the query and value projections of every attention block of a known
            architecture, if they are separate `nn.Linear` modules.
        head: names of the new head's modules, none of which targets selects.

    Raises:
        ValueError: no projection was found, or query and value are fused into one matrix; the message lists the model's
            linear modules, and explains `targets`. With targets, as `target_names`.
    """
    if targets is not None:
        return tuple(Projection.of(name, model) for name in target_names(model, targets, head))
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if found := _query_and_value(linear):
        return tuple(Projection.of(name, model) for name in found)
    raise ValueError(_explain(model, linear))


def whole_fused(model: nn.Module) -> list[str] | None:
    """Last names of fused projections that cannot be split, to be adapted as one layer each; None where none need be."""
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    fused = _fused_names(model)
    return None if not fused or fused & {*SPLITTABLE} or _query_and_value(linear) else sorted(fused)


def _query_and_value(names: Iterable[str]) -> list[str]:
    """The names of query and value projections, by the first pair of last names that both occur; [] if none does."""
    for pair in _QUERY_VALUE:
        found = [name for name in names if last_name(name) in pair]
        if {last_name(name) for name in found} == {*pair}:
            return found
    return []


def sublayer_outputs(model: nn.Module) -> list[str]:
    """Full names of the linear modules that end the attention and the feed-forward sublayers, in the model's order.

    Raises:
        ValueError: the architecture is unknown.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)]
    for attention, feed_forward in _SUBLAYER_OUTPUTS:
        found = [name for name in names if name.endswith(("." + attention, "." + feed_forward))]
        if any(name.endswith("." + attention) for name in found):
            return found
    raise ValueError(
        f"{type(model).__name__} has no sublayer outputs of a known architecture, only {last_names(names)}"
    )


def _may_be_fused(last: str, module: nn.Module) -> bool:
    """Whether a module's last name is that of a fused projection; Mamba's `in_proj`, of other widths, is none."""
    if last == "in_proj" and isinstance(module, nn.Linear):
        return module.out_features == 3 * module.in_features
    return last in _FUSED


def _fused_names(model: nn.Module) -> set[str]:
    return {last_name(name) for name, module in model.named_modules() if _may_be_fused(last_name(name), module)}


def _explain(model: nn.Module, linear: Iterable[str]) -> str:
    kind = type(model).__name__
    if fused := _fused_names(model):
        return f"{kind} fuses query and value into one matrix ({', '.join(sorted(fused))}), which is not supported"
    return (
        f"{kind} has no query and value projections of a known architecture; "
        f"name them with targets = [QUERY, VALUE], choosing from {last_names(linear)}"
    )
