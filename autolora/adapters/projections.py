"""Finds the modules to adapt: a model's query and value projections (section 5.1), and its sublayers' outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn
from transformers.pytorch_utils import Conv1D

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

Role = Literal["query", "value"]


@dataclass(frozen=True)
class Projection:
    """One linear projection of an attention block."""

    name: str
    """Full name of the module in its model: "encoder.layer.0.attention.self.query"."""
    role: Role
    """Which projection of its attention block it is."""
    out_features: int
    in_features: int

    def lora_parameters(self, rank: int) -> int:
        """Number of weights of a LoRA update of this rank: rank * (in_features + out_features)."""
        return rank * (self.in_features + self.out_features)


def find_projections(model: nn.Module, targets: tuple[str, str] | None = None) -> tuple[Projection, ...]:
    """The query and value projections of every attention block, with their roles, in the model's order.

    Args:
        model: any transformer whose projections are separate `nn.Linear` modules.
        targets: last names of the query and the value projection; None tries the known architectures.

    Raises:
        ValueError: no projection was found, or query and value are fused into one matrix; the message lists the model's
            linear modules, and explains `targets`.
    """
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    for query, value in (targets,) if targets else _QUERY_VALUE:
        roles: dict[str, Role] = {query: "query", value: "value"}
        found = tuple(
            Projection(name, roles[_last(name)], module.out_features, module.in_features)
            for name, module in linear.items()
            if _last(name) in roles
        )
        if {projection.role for projection in found} == {"query", "value"}:
            return found
    raise ValueError(_explain(model, linear, targets))


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
    raise ValueError(f"{type(model).__name__} has no sublayer outputs of a known architecture, only {_kinds(names)}")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _kinds(names: Sequence[str]) -> str:
    return ", ".join(sorted({_last(name) for name in names})) or "no linear module"


def _may_be_fused(last: str, module: nn.Module) -> bool:
    """Whether a module's last name is that of a fused projection; Mamba's `in_proj`, of other widths, is none."""
    if last == "in_proj" and isinstance(module, nn.Linear):
        return module.out_features == 3 * module.in_features
    return last in _FUSED


def _explain(model: nn.Module, linear: Sequence[str] | dict[str, nn.Linear], targets: tuple[str, str] | None) -> str:
    kind = type(model).__name__
    fused = sorted({_last(name) for name, module in model.named_modules() if _may_be_fused(_last(name), module)})
    if targets:
        return (
            f"{kind} has no pair of linear modules named {targets[0]!r} and {targets[1]!r}; it has {_kinds([*linear])}"
        )
    if fused:
        return f"{kind} fuses query and value into one matrix ({', '.join(fused)}), which is not supported"
    return (
        f"{kind} has no query and value projections of a known architecture; "
        f"name them with targets = (QUERY, VALUE), choosing from {_kinds([*linear])}"
    )
