"""The new head of a model, which every method trains in full: the modules that its checkpoint lacks."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from torch import nn
from transformers import PreTrainedModel

from autolora.adapters.fused import LOADED
from autolora.adapters.targets import is_named, output_embeddings


def find_head(model: nn.Module) -> tuple[str, ...]:
    """Ends of the names of the new modules, in the model's order; () if there is none, as in a pretrained language model.

    transformers marks each weight that it loads. The new modules are those without a marked weight, wherever they are:
    DistilBERT's `pre_classifier`, DeBERTa's `pooler`, BERT's where the checkpoint has none. A model without marks has
    random weights, or is a deep copy, which loses them: new are then the modules outside of its base model, and a new
    one inside must be named. Neither input nor output embeddings are ever new, and a head that the checkpoint has is not:
    it stays frozen unless it is named.

    Args:
        model: as it was built, without adapters.

    Raises:
        ValueError: no weight is marked, and there is nothing outside of the base model but a language model's output.
    """
    inner = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    outputs = [part for each in inner if (part := output_embeddings(each)) is not None]
    embeddings = [*outputs, *(part for each in inner if (part := _input_embeddings(each)) is not None)]
    known = {weight for part in embeddings for weight in part.parameters()}
    loaded = {weight for weight in model.parameters() if getattr(weight, LOADED, False)}
    known |= loaded or {weight for each in inner for weight in each.base_model.parameters()}
    new = [*_without(model, known)]
    if not loaded and not (inner and (new or outputs)):
        raise ValueError(
            f"the new head of {type(model).__name__} cannot be found, as transformers did not load the model: "
            "set head = (NAME,), or head = () if the head is pretrained"
        )
    return tuple(dict.fromkeys(_shortest_end(name, new, [name for name, _ in model.named_modules()]) for name in new))


def present_heads(model: nn.Module, head: tuple[str, ...] | None) -> list[str]:
    """The names in head that occur in model, in head's order; None: those of `find_head`."""
    names = [name for name, _ in model.named_modules()]
    wanted = find_head(model) if head is None else head
    return [part for part in wanted if any(is_named(name, (part,)) for name in names)]


def _input_embeddings(model: PreTrainedModel) -> nn.Module | None:
    try:
        return model.get_input_embeddings()
    except NotImplementedError:  # by a model of speech
        return None


def _without(module: nn.Module, known: AbstractSet[nn.Parameter], name: str = "") -> Iterator[str]:
    """Full names of the topmost modules below a module that have weights, none of them known."""
    for last, child in module.named_children():
        full = f"{name}.{last}" if name else last
        weights = {*child.parameters()}
        if weights and weights.isdisjoint(known):
            yield full
        else:
            yield from _without(child, known, full)


def _shortest_end(name: str, new: list[str], names: list[str]) -> str:
    """The shortest end of a new module's name that no module has which is not new."""
    parts = name.split(".")
    ends = (".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1))
    inside = tuple(f"{each}." for each in new)
    old = [other for other in names if not f"{other}.".startswith(inside)]
    return next((end for end in ends if not any(is_named(other, (end,)) for other in old)), name)
