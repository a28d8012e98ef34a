"""Several LoRA configurations trained at once on one frozen model: a grid search at the cost of a few trainings.

Each member of a stack has a separate LoRA and head. The frozen model, the batches and the dropout masks are the same as
if the member were trained separately with the same seed, so that its final weights are those of a separate training, up
to the order of summation. A stack is faster because every frozen weight is read once for all members, each dropout mask
is drawn once, and everything before the first adapter is computed once.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise

import torch
from peft import LoraConfig, PeftModel
from torch import Tensor, nn
from torch.func import functional_call, vmap
from transformers.pytorch_utils import Conv1D

from autolora.adapters.adapt import adapt, fresh_model
from autolora.compute.half_precision import train_in_float32
from autolora.compute.precision import fast_linear
from autolora.compute.random_state import RandomState
from autolora.problem import Batch, Problem
from autolora.training.batches import batch_loss, batch_tokens
from autolora.training.cuda_graphs import Pass
from baselines.stacking.member_values import PaddedLoRA, is_weight, member_values, stack_values, trainable_weights

LOG = logging.getLogger(__name__)
_ACCELERATOR_FACTOR = 4
"""Number of tokens in one pass on an accelerator, relative to the number on a CPU."""
_OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """How many members are computed in one pass."""

    members: int = 16
    """Maximum number of members in one pass; 1 trains one configuration after another."""
    tokens: int = 8192
    """Maximum number of tokens in one pass over all members, padding included, since all their activations are in
    memory at the same time. On an accelerator, which is not limited by CPU caches, four times as many. If a single batch
    is larger, the members are computed one after another."""

    def __post_init__(self) -> None:
        for name in ("members", "tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of a stack is at least 1; got {getattr(self, name)}")


class LoRAStack(nn.Module):
    """The members of a stack: one frozen model, and stacked tensors with the trained values of all members."""

    def __init__(self, problem: Problem, configs: Sequence[LoraConfig], stack: StackConfig) -> None:
        """Initialise every member with `adapt`, as if it were trained separately.

        Args:
            problem: the model, its head and the runtime.
            configs: one per member; target modules and ranks may differ, dropout may not.
            stack: how many members are computed in one pass.

        Raises:
            ValueError: there is no member, the members' dropouts differ (they could not share masks), or the problem's
                runtime has several processes.
        """
        super().__init__()
        dropouts = {config.lora_dropout for config in configs}
        if len(dropouts) != 1:
            raise ValueError(f"the members of a stack must have one dropout, since they share masks; got {dropouts}")
        if problem.runtime.team.size > 1:
            raise ValueError(
                "a stack is trained in one process only: set stack.members = 1 to train one configuration after another"
            )
        self._problem = problem
        self._configs = configs
        on_cpu = torch.device(problem.runtime.device).type == "cpu"
        self._members_at_once, self._tokens_at_once = (
            stack.members,
            stack.tokens * (1 if on_cpu else _ACCELERATOR_FACTOR),
        )
        members = [member_values(adapt(problem, config)) for config in configs]
        self._values = {name: value.to(problem.runtime.device) for name, value in stack_values(members).items()}
        """Name in the unwrapped model -> values of all members, stacked along the first dimension."""
        self.model = self._frozen_model(max(dropouts))
        for name, value in self._values.items():
            value.requires_grad_(is_weight(name))

    @property
    def weights(self) -> list[Tensor]:
        """The trained tensors, stacked over the members along the first dimension."""
        return [value for value in self._values.values() if value.requires_grad]

    def forward(self, batch: Batch) -> Tensor:
        """The loss with the values that are currently set in the model, a scalar."""
        return batch_loss(self.model, batch, loss=self._problem.loss, runtime=self._problem.runtime)

    def gradients(self, batch: Batch, compute: Pass) -> tuple[Tensor, list[Tensor | None]]:
        """The members' losses, shape (members,), and the gradients by their weights, stacked over the members.

        If memory runs out, the number of members in one pass is halved from then on.

        Args:
            batch: on the runtime's device.
            compute: `losses_and_gradients`, or a recording of it.
        """
        random_state = RandomState.now(torch.device(self._problem.runtime.device))
        while True:
            chunks = self._chunks(batch_tokens(batch))
            try:
                return self._chunk_by_chunk(batch, chunks, random_state, compute)
            except RuntimeError as error:  # on a CPU, running out of memory raises a plain RuntimeError
                if len(chunks) == len(self) or not _OUT_OF_MEMORY.search(str(error)):
                    raise
            random_state.restore()
            self._members_at_once = max(1, (chunks[0].stop - chunks[0].start) // 2)
            LOG.warning("out of memory: %d members of the stack in one pass from now on", self._members_at_once)

    def losses_and_gradients(self, batch: Batch, values: Batch) -> list[Tensor | None]:
        """The losses and the gradients of some members.

        Args:
            batch: the batch, the same for all members.
            values: name -> values of these members, stacked along the first dimension.
        """
        leaves = {name: value.detach().requires_grad_(is_weight(name)) for name, value in values.items()}
        losses = self._losses(batch, leaves)
        weights = [value for value in leaves.values() if value.requires_grad]
        gradients = torch.autograd.grad(losses.sum(), weights, allow_unused=True)
        return [losses.detach(), *(None if gradient is None else gradient.contiguous() for gradient in gradients)]

    def finite(self) -> list[bool]:
        """For each member, whether all its weights are finite."""
        per_weight = [weight.detach().flatten(1).isfinite().all(1) for weight in self.weights]
        return torch.stack(per_weight).all(0).tolist()

    def member(self, index: int) -> PeftModel:
        """A fresh PEFT model with the weights of one member."""
        model = adapt(self._problem, self._configs[index])
        with torch.no_grad():
            for name, weight in trainable_weights(model).items():
                value = self._values[name][index]
                weight.copy_(value[tuple(slice(size) for size in weight.shape)])
        return model.to(self._problem.runtime.device)

    def __len__(self) -> int:
        return len(self._configs)

    def _chunk_by_chunk(
        self, batch: Batch, chunks: Sequence[slice], random_state: RandomState, compute: Pass
    ) -> tuple[Tensor, list[Tensor | None]]:
        """The losses and the gradients of all members, from one pass per chunk with the same dropout masks."""
        results: list[Sequence[Tensor | None]] = []
        for members in chunks:
            values = {name: value[members].detach() for name, value in self._values.items()}
            with random_state.replay() if results else nullcontext():
                tensors = compute(batch, values)
            results.append(tensors if len(chunks) == 1 else [_copy(tensor) for tensor in tensors])
        losses, *gradients = (_concatenated(parts) for parts in zip(*results, strict=True))
        assert losses is not None
        return losses, gradients

    def _chunks(self, tokens: int) -> list[slice]:
        """The members of each pass over a batch of `tokens` tokens; all passes have nearly the same number of members."""
        size = max(1, min(self._members_at_once, self._tokens_at_once // tokens))
        passes = -(-len(self) // size)
        ends = [len(self) * done // passes for done in range(passes + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    def _losses(self, batch: Batch, values: Mapping[str, Tensor]) -> Tensor:
        def loss(values: Mapping[str, Tensor]) -> Tensor:
            named = {f"model.{name}": value for name, value in values.items()}
            result: Tensor = functional_call(self, named, (batch,))
            return result

        if all(len(value) == 1 for value in values.values()):  # slightly faster than vmap over one member
            return loss({name: value[0] for name, value in values.items()})[None]
        one_pass: Callable[[Mapping[str, Tensor]], Tensor] = vmap(loss, randomness="same")
        return one_pass(values)

    def _frozen_model(self, dropout: float) -> nn.Module:
        """A fresh frozen model with a `PaddedLoRA` around every projection that a member adapts."""
        model = fresh_model(self._problem)
        for name, weight in model.named_parameters():
            weight.requires_grad_(name in self._values)
        train_in_float32(model)
        model.requires_grad_(False)
        for name, factor in self._values.items():
            projection, _, last = name.rpartition(".")
            if last == "lora_A":
                base = model.get_submodule(projection)
                assert isinstance(base, nn.Linear | Conv1D)
                model.set_submodule(projection, PaddedLoRA(base, factor.shape[1], dropout))
        model.to(self._problem.runtime.device).train()
        fast_linear(model, self._problem.runtime)
        return model


def _copy(tensor: Tensor | None) -> Tensor | None:
    """A copy, since a replayed pass overwrites its results."""
    return None if tensor is None else tensor.clone()


def _concatenated(parts: Sequence[Tensor | None]) -> Tensor | None:
    """The tensor of all members, from the tensors of the passes; None if no pass has one."""
    present = [part for part in parts if part is not None]
    return (present[0] if len(present) == 1 else torch.cat(present)) if present else None
