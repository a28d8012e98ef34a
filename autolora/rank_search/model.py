"""A model with selection variables around its projections, and its loss as a function of the inner weights."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call
from transformers import PreTrainedModel

from autolora.adapters.layers import attach, by_components, freeze_all_but, head_parameters
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import derive_ranks
from autolora.adapters.selection import PARAMETERISATIONS, parameterisation
from autolora.compute.precision import fast_linear
from autolora.compute.runtime import Runtime
from autolora.problem import Batch, TrainingLoss
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.lean_layer_norm import use_lean_layer_norm
from autolora.rank_search.lean_projection import lean_projection
from autolora.training.cuda_graphs import uses_gradient_checkpointing
from autolora.training.train import batch_loss, local_parts


class SearchModel(nn.Module):
    """Wraps a model, in place: everything is frozen but the updates, their selection logits and the head.

    `weights` (w) and `logits` (beta) are lists of tensors; `on(batch)` is the loss of a batch as a function of w.
    """

    def __init__(
        self,
        model: nn.Module,
        config: SearchConfig,
        *,
        loss: TrainingLoss,
        head: tuple[str, ...],
        targets: tuple[str, str] | None,
        runtime: Runtime,
    ) -> None:
        """Attach the updates and move the model to the runtime's device.

        Raises:
            ValueError: there is nothing to adapt, it is quantised or shared, max_rank is too large, or the model has
                no head of that name.
        """
        super().__init__()
        self.projections = find_projections(model, targets)
        refuse_what_cannot_be_searched(model, [projection.name for projection in self.projections], head)
        freeze_all_but(model, head)
        if config.trainable == "all":
            model.requires_grad_()
        kind = parameterisation(config.parameterisation)
        compute = lean_projection if runtime.graphs else by_components
        self.layers = attach(model, self.projections, config.max_rank, config.lora_alpha, kind, compute=compute)
        self.logits: list[Tensor] = [layer.selection_logits for layer in self.layers.values()]
        if config.initial_logit is not None:
            for logits in self.logits:
                nn.init.constant_(logits, config.initial_logit)
        self.model = model.to(runtime.device).train()
        fast_linear(self.model, runtime)
        if runtime.graphs:
            use_lean_layer_norm(self.model)
        _use_eager_attention(model)
        self.uses_gradient_checkpointing = uses_gradient_checkpointing(model)
        """Whether activations are not kept, but computed anew in the backward pass."""
        self._parameterisation = kind
        self._rank_rule = config.rank_rule
        self._loss = loss
        self.runtime = runtime
        outer = set(self.logits)
        inner = {name: p for name, p in self.named_parameters() if p.requires_grad and p not in outer}
        self._names = list(inner)
        self.weights: list[Tensor] = list(inner.values())

    def forward(self, batch: Batch) -> Tensor:
        """The training loss of a batch, a scalar."""
        return batch_loss(self.model, batch, loss=self._loss, runtime=self.runtime)

    def on(self, batch: Batch) -> Callable[[Sequence[Tensor]], Tensor]:
        """Weights -> loss on batch. At the model's own weights nothing is swapped in.

        Where activations are computed anew in the backward pass, that has to be over before the next loss is computed:
        it reads the weights that are in place, and they stay there until then or `put_back`.
        """

        def loss(weights: Sequence[Tensor]) -> Tensor:
            if self.uses_gradient_checkpointing:
                self._put(weights)
            if self.uses_gradient_checkpointing or weights is self.weights:
                return self.forward(batch)
            swapped: Tensor = functional_call(self, dict(zip(self._names, weights, strict=True)), (batch,))
            return swapped

        return loss

    def put_back(self) -> None:
        """Put the model's own weights in place."""
        if self.uses_gradient_checkpointing:
            self._put(self.weights)

    def _put(self, weights: Sequence[Tensor]) -> None:
        for name, weight in zip(self._names, weights, strict=True):
            module, _, own = name.rpartition(".")
            self.get_submodule(module)._parameters[own] = weight  # type: ignore[assignment]  # noqa: SLF001  functional_call ends too early

    def parts(self, batch: Batch, number: int) -> list[Callable[[Sequence[Tensor]], Tensor]]:
        """Weights -> loss on a part of batch, for so many parts; those of all members add up to that of the batch."""

        def scaled(part: Batch, share: float) -> Callable[[Sequence[Tensor]], Tensor]:
            loss = self.on(part)
            return lambda weights: share * loss(weights)

        return [scaled(part, share) for part, share in local_parts(batch, number, self.runtime.team)]

    def selection(self) -> dict[str, Tensor]:
        """Projection -> selection variables, shape (k,), a float32 copy on the CPU, fetched at once."""
        together = torch.stack([layer.selection.detach() for layer in self.layers.values()]).to("cpu", torch.float32)
        return {name: values.clone() for name, values in zip(self.layers, together, strict=True)}

    def ranks(self, selection: Mapping[str, Tensor]) -> dict[str, int]:
        """Projection -> rank at this moment, by the configured rule; selection: what `selection` gives now."""
        if self._rank_rule == "selection":
            return derive_ranks(selection, self._parameterisation)
        logits = {name: layer.selection_logits.detach().float().cpu() for name, layer in self.layers.items()}
        return derive_ranks(logits, PARAMETERISATIONS["unconstrained"])


def refuse_what_cannot_be_searched(model: nn.Module, names: Sequence[str], head: Sequence[str]) -> None:
    """Find out before any training that a search makes no sense.

    Raises:
        ValueError: projections are quantised, or shared between layers; the model has none of the named heads.
    """
    modules = [model.get_submodule(name) for name in names]
    for name, module in zip(names, modules, strict=True):
        weight = module.weight
        assert isinstance(weight, Tensor)
        if not weight.is_floating_point() or weight.element_size() < torch.finfo(torch.float16).bits // 8:
            raise ValueError(
                f"{name} is quantised ({weight.dtype}); the search needs weights of 16 bits or more: "
                "load the model without quantisation"
            )
    all_names: dict[int, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.Linear):
            all_names.setdefault(id(module.weight), []).append(name)
    for name, module in zip(names, modules, strict=True):
        others = [other for other in all_names[id(module.weight)] if other != name]
        if others:
            raise ValueError(f"{name} and {others[0]} share their weights: one projection cannot have two ranks")
    config = getattr(model, "config", None)
    layers = getattr(config, "num_hidden_layers", 0)
    if getattr(config, "num_hidden_groups", layers) < layers:  # ALBERT
        raise ValueError(
            f"{type(model).__name__} shares its projections between {layers} layers: there is one rank to find, "
            "not one per layer"
        )
    if head and not head_parameters(model, head):
        known = sorted({name.rpartition(".")[2] for name, _ in chain(model.named_children())})
        raise ValueError(
            f"{type(model).__name__} has no module named {' or '.join(head)}: its output head would stay frozen; "
            f"name it with head = (NAME,), choosing from {', '.join(known)}, or say head = () where it is pretrained"
        )


def _use_eager_attention(model: nn.Module) -> None:
    """Fused attention kernels have no second derivative."""
    if isinstance(model, PreTrainedModel):
        model.set_attn_implementation("eager")
