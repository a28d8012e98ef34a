"""A model with selection variables at its projections, and its loss as a function of the inner weights."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.func import functional_call
from transformers import PretrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from autolora.adapters.fused import split_fused
from autolora.adapters.head import find_head
from autolora.adapters.layers import SelectiveLoRA, attach, by_components, freeze_all_but, head_parameters
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import derive_ranks
from autolora.adapters.selection import PARAMETERISATIONS, parameterisation
from autolora.compute.half_precision import train_in_float32
from autolora.compute.precision import fast_linear
from autolora.compute.random_state import RandomState
from autolora.compute.runtime import Runtime
from autolora.problem import Batch, LossDenominator, Targets, TrainingLoss
from autolora.rank_search.config import ONCE, SearchConfig
from autolora.rank_search.lean_layer_norm import use_lean_layer_norm
from autolora.rank_search.lean_projection import lean_projection
from autolora.training.batches import batch_loss
from autolora.training.cuda_graphs import uses_gradient_checkpointing
from autolora.training.micro_batches import denominator_of, local_parts


class SearchModel(nn.Module):
    """Changes a model in place: only LoRA's updates, their selection logits and the head are trainable, all in float32.

    `weights` (w) and `logits` (beta) are lists of tensors; `on(batch)` is the loss of a batch as a function of w.
    """

    def __init__(
        self,
        model: nn.Module,
        config: SearchConfig,
        *,
        loss: TrainingLoss,
        head: tuple[str, ...] | None,
        targets: Targets | None,
        runtime: Runtime,
        loss_denominator: LossDenominator | None = None,
    ) -> None:
        """Attach the updates and move the model to the runtime's device.

        Raises:
            ValueError: the model has no layers or no head of these names, the layers are not linear, quantised or
                shared, or max_rank is too large.
        """
        super().__init__()
        self.runtime = runtime
        self._loss = loss
        parts = config.training.micro_batches
        self._denominator = denominator_of(model, loss, loss_denominator, runtime=runtime, number=parts)
        self._parameterisation = parameterisation(config.parameterisation)
        self._rank_rule = config.rank_rule
        refuse_adapted(model)
        split_fused(model, targets)
        head = find_head(model) if head is None else head
        self.projections = find_projections(model, targets, head)
        refuse_what_cannot_be_searched(model, [projection.name for projection in self.projections], head, config)
        self.layers = self._attach_updates(model, config, head)
        self.logits: list[Tensor] = [layer.selection_logits for layer in self.layers.values()]
        self.model = model.to(runtime.device).train()
        fast_linear(self.model, runtime)
        if runtime.graphs:
            use_lean_layer_norm(self.model)
        _use_eager_attention(model)
        self.uses_gradient_checkpointing = uses_gradient_checkpointing(model)  # activations are recomputed
        outer = set(self.logits)
        inner = {name: p for name, p in self.named_parameters() if p.requires_grad and p not in outer}
        self._names = list(inner)
        self.weights: list[Tensor] = list(inner.values())

    def _attach_updates(
        self, model: nn.Module, config: SearchConfig, head: tuple[str, ...]
    ) -> dict[str, SelectiveLoRA]:
        """Freeze model but for its head (unless all weights are trained), and attach the updates with their logits."""
        freeze_all_but(model, head)
        if config.trainable == "all":
            model.requires_grad_()
        train_in_float32(model)
        layers = attach(
            model,
            self.projections,
            config.max_rank,
            config.lora_alpha,
            self._parameterisation,
            compute=lean_projection if self.runtime.graphs else by_components,
        )
        if config.initial_logit is not None:
            for layer in layers.values():
                nn.init.constant_(layer.selection_logits, config.initial_logit)
        return layers

    def forward(self, batch: Batch) -> Tensor:
        """The training loss of a batch, a scalar."""
        return batch_loss(self.model, batch, loss=self._loss, runtime=self.runtime)

    def on(self, batch: Batch) -> Callable[[Sequence[Tensor]], Tensor]:
        """A function from weights to the loss on batch; called with `self.weights`, it runs the model as it is.

        With gradient checkpointing, the backward pass recomputes activations from the weights that are set in the
        model. The given weights therefore stay set until the next call or `put_back`, and the backward pass of one loss
        must be complete before the next loss is computed.
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
        """Set the model's weights to `self.weights` again after losses at other weights."""
        if self.uses_gradient_checkpointing:
            self._put(self.weights)

    def _put(self, weights: Sequence[Tensor]) -> None:
        for name, weight in zip(self._names, weights, strict=True):
            module, _, last = name.rpartition(".")
            self.get_submodule(module)._parameters[last] = weight  # type: ignore[assignment]  # noqa: SLF001  functional_call ends too early

    def parts(self, batch: Batch, number: int) -> list[Callable[[Sequence[Tensor]], Tensor]]:
        """This process's micro-batch losses, as functions of weights; over all processes they add up to the batch's loss.

        Args:
            batch: the whole batch.
            number: number of micro-batches per process.
        """

        def scaled(part: Batch, share: float) -> Callable[[Sequence[Tensor]], Tensor]:
            loss = self.on(part)
            return lambda weights: share * loss(weights)

        own = local_parts(batch, number, self.runtime.team, self._denominator)
        return [scaled(part, share) for part, share in own]

    def refuse_cut_off(self, batch: Batch, number: int) -> None:
        """Check on one micro-batch that a gradient reaches every projection; changes no state.

        Args:
            batch: the whole batch.
            number: number of micro-batches per process.

        Raises:
            ValueError: a projection's selection variables do not take part in the loss; the message names it.
        """
        random_state = RandomState.now(torch.device(self.runtime.device))
        loss = self.parts(batch, number)[0](self.weights)
        found: Sequence[Tensor | None] = [None] * len(self.logits)
        if loss.requires_grad:
            found = torch.autograd.grad(loss, self.logits, allow_unused=True)
        random_state.restore()
        self.put_back()
        refuse_cut_off(self.layers, found)

    def selection(self) -> dict[str, Tensor]:
        """Projection -> selection variables, shape (k,), a float32 copy on the CPU, fetched in one transfer."""
        fetched = torch.stack([layer.selection.detach() for layer in self.layers.values()]).to("cpu", torch.float32)
        return {name: values.clone() for name, values in zip(self.layers, fetched, strict=True)}

    def ranks(self, selection: Mapping[str, Tensor]) -> dict[str, int]:
        """Projection -> current rank, by the configured rule. Args: selection: the current `selection()`."""
        if self._rank_rule == "selection":
            return derive_ranks(selection, self._parameterisation)
        logits = {name: layer.selection_logits.detach().float().cpu() for name, layer in self.layers.items()}
        return derive_ranks(logits, PARAMETERISATIONS["unconstrained"])


def refuse_what_cannot_be_searched(
    model: nn.Module, names: Sequence[str], head: Sequence[str], config: SearchConfig
) -> None:
    """Check before any training that ranks can be searched on a model.

    Args:
        model: the model, without updates.
        names: full names of its projections.
        head: as in `Problem`.
        config: of the search.

    Raises:
        ValueError: projections are quantised and config needs more of them than first derivatives by their inputs, or
            shared between layers; the model has none of the named heads.
    """
    _refuse_quantised(model, names, config)
    _refuse_shared(model, names)
    if head and not head_parameters(model, head):
        known = sorted({name.rpartition(".")[2] for name, _ in model.named_children()})
        raise ValueError(
            f"{type(model).__name__} has no module named {' or '.join(head)}: its output head would stay frozen; "
            f"set head = (NAME,), choosing from {', '.join(known)}, or head = () if the head is pretrained"
        )


def refuse_cut_off(names: Iterable[str], gradients: Iterable[Tensor | None]) -> None:
    """Raises ValueError: a projection's gradient is None; the message names it."""
    missing = [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]
    if missing:
        raise ValueError(
            f"no gradient reaches {', '.join(missing)}: ranks are searched only where the loss has a gradient; "
            "compute these layers outside torch.no_grad, and use gradient checkpointing with use_reentrant=False"
        )


def refuse_adapted(model: nn.Module) -> None:
    """Raises ValueError: the model has adapters of PEFT."""
    adapted = [name for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]
    if adapted:
        raise ValueError(f"{adapted[0]} has an adapter of PEFT already: give the base model, without adapters")


def _refuse_quantised(model: nn.Module, names: Sequence[str], config: SearchConfig) -> None:
    """Layers of bitsandbytes have a gradient by their inputs, but need not have the gradient's derivative."""
    for name in names:
        weight = model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        if weight.is_floating_point() and weight.element_size() >= torch.finfo(torch.float16).bits // 8:
            continue
        if not type(weight).__module__.startswith("bitsandbytes"):
            raise ValueError(
                f"{name} is quantised ({weight.dtype}); the search needs weights of 16 bits or more, or of bitsandbytes: "
                "load the model without quantisation"
            )
        if config.engine not in ONCE or config.trainable == "all":
            raise ValueError(
                f"{name} is quantised ({weight.dtype}), and has first derivatives only, by its inputs alone; got engine = "
                f"{config.engine!r}, trainable = {config.trainable!r}: set engine = 'finite-difference' or 'first-order' "
                "and trainable = 'updates', or load the model in bfloat16 (the ranks found fit the quantised model too)"
            )


def _refuse_shared(model: nn.Module, names: Sequence[str]) -> None:
    all_names: dict[int, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.Linear | Conv1D):
            all_names.setdefault(id(module.weight), []).append(name)
    for name in names:
        others = [other for other in all_names[id(model.get_submodule(name).weight)] if other != name]
        if others:
            raise ValueError(f"{name} and {others[0]} share their weights: one projection cannot have two ranks")
    config = getattr(model, "config", None)
    layers = getattr(config, "num_hidden_layers", 0)
    if getattr(config, "num_hidden_groups", layers) < layers:  # ALBERT
        raise ValueError(
            f"{type(model).__name__} shares its projections between {layers} layers: they cannot have different ranks"
        )


def _use_eager_attention(model: nn.Module) -> None:
    """Use eager attention in every inner model of transformers, since fused attention kernels have no second derivative.

    The modules get copies of their configs, so that the caller's config stays as it is.
    """
    copies: dict[int, Any] = {}
    inner = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, PretrainedConfig):
                setattr(module, name, copy.deepcopy(value, copies))
    for each in inner:
        each.set_attn_implementation("eager")
