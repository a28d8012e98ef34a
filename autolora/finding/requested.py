"""What a user's `peft.LoraConfig` asks of a search, and the same configuration with the ranks found."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from peft import LoraConfig
from peft.tuners.tuners_utils import check_target_module_exists
from torch import nn

from autolora.adapters.projections import find_projections, whole_fused
from autolora.adapters.ranks import RankAllocation, Scaling
from autolora.adapters.targets import last_name
from autolora.allocation.autolora_budget import AutoLoraBudget
from autolora.problem import Targets
from autolora.rank_search.config import SearchConfig

Settings = TypeVar("Settings", bound=SearchConfig | AutoLoraBudget)
REFUSED = {
    "use_dora": "DoRA also trains a magnitude per layer",
    "target_parameters": "ranks are searched for linear layers",
    "layer_replication": "the replicated layers have no weights of their own",
    "megatron_config": "Megatron's parallel layers cannot be searched",
    "use_qalora": "QA-LoRA pools the inputs of its updates",
    "use_bdlora": "the blocks of BD-LoRA's factors have ranks of their own",
    "alora_invocation_tokens": "activated LoRA adapts a part of each sequence",
    "rank_pattern": "the ranks are what is searched",
    "alpha_pattern": "the scaling follows from lora_alpha and the rank",
}
"""Field of LoraConfig that must keep its default -> the reason."""
ADAPTED = "_hf_peft_config_loaded"
"""transformers' mark on a model with adapters, which a Trainer asks of a quantised one."""


def refuse_unsupported(config: LoraConfig) -> None:
    """Raises ValueError: the configuration asks for something that a search cannot honour."""
    for field, reason in REFUSED.items():
        if value := getattr(config, field, None):
            raise ValueError(f"lora_config.{field} = {value!r} is not supported: {reason}; leave it out")


def suitable(model: nn.Module) -> nn.Module:
    """The model itself. Raises ValueError: it is wrapped, or not on one device as a whole."""
    children = [name for name, _ in model.named_children()]
    if children in (["module"], ["_orig_mod"]):
        raise ValueError(
            f"the model is wrapped in {type(model).__name__}, which renames its layers: pass model.{children[0]}"
        )
    mapped = {str(place) for place in (getattr(model, "hf_device_map", None) or {}).values()}
    places = sorted(mapped or {str(weight.device) for weight in model.parameters()})
    if len(places) > 1 or {*places} & {"disk", "meta"}:
        raise ValueError(
            f"the model is on {', '.join(places)}: a search needs all of it on one device; load it without device_map, "
            "or with all of it on one (device_map={'': 0})"
        )
    return model


@contextmanager
def accepted_by_trainer(model: nn.Module) -> Iterator[None]:
    """Within the context, a Trainer accepts a quantised model without adapters: the search attaches them to a copy."""
    if not getattr(model, "is_quantized", False):
        yield
        return
    setattr(model, ADAPTED, True)
    try:
        yield
    finally:
        delattr(model, ADAPTED)


def targets_of(config: LoraConfig, model: nn.Module, head: Sequence[str]) -> Targets | None:
    """The layers that a configuration selects, as `Problem.targets`.

    Without `target_modules`, these are query and value projections (section 5.1), or what they are fused into.
    `exclude_modules` and `layers_to_transform` leave some of the selected layers out, as in PEFT.

    Args:
        config: the user's.
        model: newly built, without adapters.
        head: names of the new head's modules, which are never selected.

    Raises:
        ValueError: as `find_projections`, or no layer is left.
    """
    targets = config.target_modules
    named = whole_fused(model) if targets is None else targets if isinstance(targets, str) else sorted(targets)
    if not config.exclude_modules and config.layers_to_transform is None:
        return named
    found = [projection.name for projection in find_projections(model, named, head)]
    ends = replace(config, target_modules=sorted({last_name(name) for name in found}))
    kept = [name for name in found if check_target_module_exists(ends, name)]
    if not kept:
        raise ValueError(
            f"exclude_modules = {config.exclude_modules!r} and layers_to_transform = {config.layers_to_transform!r} "
            f"leave none of the {len(found)} layers that target_modules = {targets!r} selects"
        )
    return "|".join(name.replace(".", r"\.") for name in kept)


def with_rank_of(config: LoraConfig, settings: Settings) -> Settings:
    """Settings of a search with a configuration's maximum rank and scaling.

    The scaling during the search is lora_alpha / r, or lora_alpha / sqrt(r) with rsLoRA (arXiv:2312.03732), where r is
    the maximum rank.
    """
    alpha = config.lora_alpha * (config.r**0.5 if config.use_rslora else 1)
    return replace(settings, max_rank=config.r, lora_alpha=alpha)


def with_ranks(config: LoraConfig, allocation: RankAllocation, scaling: Scaling, head: Sequence[str]) -> LoraConfig:
    """A copy of a configuration with the ranks of an allocation, `r` being the largest.

    Args:
        config: the user's; all fields but those of targets, ranks and scaling are carried over.
        allocation: layers of rank 0 are left out of `target_modules`.
        scaling: as in `RankAllocation.to_lora_config`.
        head: names of the new head's modules, which are added to `modules_to_save`.
    """
    ranked = allocation.to_lora_config(lora_alpha=config.lora_alpha, scaling=scaling, use_rslora=config.use_rslora)
    found = copy.deepcopy(config)
    for field in ("r", "target_modules", "rank_pattern", "alpha_pattern"):
        setattr(found, field, getattr(ranked, field))
    found.exclude_modules = found.layers_to_transform = found.layers_pattern = None
    found.modules_to_save = [*dict.fromkeys([*(config.modules_to_save or ()), *head])] or None
    return found
