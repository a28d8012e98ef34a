"""The linear layers that `Problem.targets` selects, by PEFT's own matching of `LoraConfig.target_modules`."""

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from peft import LoraConfig
from peft.tuners.tuners_utils import _maybe_include_all_linear_layers, check_target_module_exists
from peft.utils.constants import INCLUDE_LINEAR_LAYERS_SHORTHAND
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from autolora.problem import Targets


def target_names(model: nn.Module, targets: Targets, head: Sequence[str] = ()) -> list[str]:
    """Full names of the selected layers, in the model's order.

    Args:
        model: without adapters.
        targets: as in `Problem`. Unlike PEFT, each name of a list must be that of a layer.
        head: names of the new head's modules, which are never selected, as PEFT selects none of `modules_to_save`.

    Raises:
        ValueError: a name or the regular expression selects no layer, or something that is no linear layer of its own:
            an embedding, a convolution, a layer tied to an embedding, experts that are bare parameters.
    """
    wanted = [targets] if isinstance(targets, str) else [[name] for name in _without_duplicates(targets)]
    is_selected = matcher(model, targets, head)
    names = [name for name, _ in model.named_modules() if name and is_selected(name)]
    for each in wanted:
        if not any(isinstance(each, str) or is_named(name, each) for name in names):
            raise ValueError(_why_nothing(model, each, head))
    for name in names:
        if reason := _unsuitable(model, name):
            raise ValueError(f"targets selects {name}, {reason}")
    experts = [name for name, _ in model.named_parameters() if name.split(".")[-2:-1] == ["experts"]]
    if _is_all_linear(targets) and experts:
        raise ValueError(
            f"{experts[0]} is a bare parameter, not a linear layer, so that {targets!r} cannot adapt all experts: "
            f"name other layers with targets = [NAME, ...], choosing from {last_names(names)}"
        )
    return names


def matcher(model: nn.Module, targets: Targets, head: Sequence[str] = ()) -> Callable[[str], bool]:
    """Whether targets selects the module of a full name; arguments as of `target_names`.

    Raises:
        ValueError: targets is no valid regular expression.
    """
    try:
        re.compile(targets if isinstance(targets, str) else "")
    except re.error as error:
        raise ValueError(f"targets = {targets!r} is no regular expression for full names: {error}") from error
    modules = targets if isinstance(targets, str) else list(targets)
    config = LoraConfig(target_modules=modules, modules_to_save=list(head) or None)
    if not _is_all_linear(targets):
        return lambda name: bool(check_target_module_exists(config, name))
    inner = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    outputs = {output_embeddings(each) for each in inner}  # PEFT knows those of the outermost model only
    known = {*(_maybe_include_all_linear_layers(config, model).target_modules or ())}
    linear = {name for name in known if model.get_submodule(name) not in outputs}
    return lambda name: name in linear and bool(check_target_module_exists(config, name))


def output_embeddings(model: PreTrainedModel) -> nn.Module | None:
    """The layer of a language model that computes its logits; None if it has none."""
    found: nn.Module | None = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return found


def is_named(name: str, ends: Sequence[str]) -> bool:
    """Whether a module's full name ends with one of these names, such as "pooler" or "text.pooler"."""
    return f".{name}".endswith(tuple(f".{end}" for end in ends))


def last_name(name: str) -> str:
    """The last part of a module's full name."""
    return name.rpartition(".")[2]


def last_names(names: Iterable[str]) -> str:
    """The last parts of these names, sorted, as a text."""
    return ", ".join(sorted({last_name(name) for name in names})) or "no linear module"


def _is_all_linear(targets: Targets) -> bool:
    return isinstance(targets, str) and targets.lower() == INCLUDE_LINEAR_LAYERS_SHORTHAND


def _without_duplicates(names: Sequence[str]) -> Sequence[str]:
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice or not names:
        raise ValueError(f"targets must list at least one name, and none twice; got {', '.join(names) or 'none'}")
    return names


def _unsuitable(model: nn.Module, name: str) -> str | None:
    """Why a layer cannot be adapted, as the end of a sentence; None if it can."""
    module = model.get_submodule(name)
    if not isinstance(module, nn.Linear | Conv1D):
        kinds = "linear layers only (nn.Linear, and Conv1D of transformers)"
        return f"a module of type {type(module).__name__}: ranks are searched for {kinds}"
    if isinstance(model.get_submodule(name.rpartition(".")[0]), nn.MultiheadAttention):
        return "whose weight nn.MultiheadAttention reads without calling the layer"
    embeddings = [(other, each) for other, each in model.named_modules() if isinstance(each, nn.Embedding)]
    tied = [other for other, each in embeddings if each.weight is module.weight]
    return f"which is tied to {tied[0]}: an update would change only one of the two" if tied else None


def _why_nothing(model: nn.Module, target: str | list[str], head: Sequence[str]) -> str:
    """Why a regular expression, or a list of one name, selects no layer."""
    is_meant = matcher(model, target)
    kind, shown = type(model).__name__, target if isinstance(target, str) else target[0]
    in_head = [name for name, _ in model.named_modules() if name and is_meant(name)]
    if in_head:
        return f"targets = {shown!r} selects {in_head[0]} of the new head ({', '.join(head)}), which is trained in full"
    bare = [name for name, _ in model.named_parameters() if is_meant(name)]
    if bare:
        return f"targets = {shown!r} selects {bare[0]}, a bare parameter: only linear layers have a rank to search"
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)]
    parts = 1 if isinstance(target, str) else len(shown.split("."))
    ends = {".".join(name.split(".")[-parts:]) for name in linear}
    near = get_close_matches(shown if parts > 1 else last_name(shown), sorted(ends))
    answer = f"the nearest are {', '.join(near)}" if near else f"it has {last_names(linear)}"
    if isinstance(target, str):
        return (
            f"{kind} has no layer whose full name matches the regular expression {shown!r}; {answer} "
            "(the end of a name is given in a list: targets = [NAME])"
        )
    return f"{kind} has no linear layer named {shown!r}; {answer}"
